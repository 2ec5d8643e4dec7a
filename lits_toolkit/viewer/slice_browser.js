// The slice browser's view. Pixels come from the kernel as binary messages and are windowed, blended and outlined here,
// so that only a slice that is not in the cache needs the kernel. To be read from top to bottom: geometry, what comes
// from the kernel, painting, panels, the strip, the table, and the browser that holds them together. `blend.py` is the
// twin of the painting, `view.py` draws the same with matplotlib.

const CACHE_BYTES = 160 * 2 ** 20;
const LEAST_KEPT = 24;
const REQUESTS_IN_FLIGHT = 2;
const SLICES_PER_PREFETCH = 4;
const PREFETCH_AHEAD = 8;
const PREFETCH_BEHIND = 2;
const SLOW_MS = 1000;
const SAVE_MS = 200;
const LIVER = 1;
const TUMOR = 2;
const MOST_ZOOM = 20;
const CLICK_PX = 4; // what moves less is a click, no drag
const TOUCH_PX = 12; // a finger's way from slice to slice

const capital = (word) => word[0].toUpperCase() + word.slice(1);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const typographic = (number) => String(number).replace("-", "−");
const squareCm = (mm2) => (mm2 / 100).toFixed(mm2 < 1000 ? 1 : 0);
const same = (one, other) => one.every((value, i) => value === other[i]);


// ---- Geometry

/** By the axis of the array (z, y, x) along which their slices lie; `sides` are top, bottom, left and right. */
const PLANES = [
  { name: "axial", down: 1, across: 2, headUp: false, sides: ["A", "P", "R", "L"] },
  { name: "coronal", down: 0, across: 2, headUp: true, sides: ["S", "I", "R", "L"] },
  { name: "sagittal", down: 0, across: 1, headUp: true, sides: ["S", "I", "A", "P"] },
];

/** The grid of voxels (z, y, x), and where they lie in the slices of a plane. */
class Volume {
  constructor(model) {
    this.shape = model.get("shape");
    this.spacing = model.get("spacing_mm");
    this.affine = model.get("affine");
    this.centre = this.shape.map((size) => (size - 1) / 2);
  }

  rows(plane) {
    return this.shape[PLANES[plane].down];
  }

  columns(plane) {
    return this.shape[PLANES[plane].across];
  }

  /** Millimetres from row to row and from column to column. */
  pixelMm(plane) {
    return [this.spacing[PLANES[plane].down], this.spacing[PLANES[plane].across]];
  }

  /** Where a voxel's centre lies in its slice, in pixels from the upper left corner. */
  place(plane, voxel) {
    const { down, across, headUp } = PLANES[plane];
    const row = headUp ? this.shape[down] - 1 - voxel[down] : voxel[down];
    return { row: row + 0.5, column: voxel[across] + 0.5 };
  }

  /** The inverse of `place`, in fractions of voxels; along the plane's axis it is at `index`. */
  voxel(plane, index, { row, column }) {
    const { down, across, headUp } = PLANES[plane];
    const voxel = [0, 0, 0];
    voxel[plane] = index;
    voxel[down] = headUp ? this.shape[down] - 0.5 - row : row - 0.5;
    voxel[across] = column - 0.5;
    return voxel;
  }

  inside(voxel) {
    return voxel.map((at, axis) => clamp(Math.round(at), 0, this.shape[axis] - 1));
  }

  distanceMm(from, to) {
    return Math.hypot(...from.map((at, axis) => (to[axis] - at) * this.spacing[axis]));
  }

  /** Millimetres in the world of the file, each with the letter of its side. */
  worldText([z, y, x]) {
    const millimetres = ["RL", "AP", "SI"].map((side, row) => {
      const [a, b, c, offset] = this.affine[row];
      const mm = a * x + b * y + c * z + offset;
      return `${side[mm < 0 ? 1 : 0]} ${Math.abs(mm).toFixed(1)}`;
    });
    return `${millimetres.join("  ")} mm`;
  }
}


// ---- What comes from the kernel

/** The settings, which are the model's; Python learns of them where one has come to rest, not of every step there. */
class Settings {
  constructor(model) {
    this.model = model;
  }

  get(name) {
    return this.model.get(name);
  }

  set(changes) {
    for (const [name, value] of Object.entries(changes)) this.model.set(name, value);
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.model.save_changes(), SAVE_MS);
  }

  /** The plane whose slices the wheel goes through, as the axis of the array. */
  get plane() {
    return PLANES.findIndex(({ name }) => name === this.get("plane"));
  }
}

/** The slices of one model: asks for what its views want, neighbours too, and keeps the most recently used. */
class SliceSource {
  constructor(model, volume) {
    this.model = model;
    this.volume = volume;
    this.masks = model.get("layers").length;
    this.heats = model.get("probabilities").length;
    this.kept = new Map(); // "plane/index" → slice, the least recently used first
    this.bytes = 0;
    this.pending = new Set();
    this.requests = 0;
    this.wants = new Map(); // view → { slices: [[plane, index], …], direction }, the plane that is scrolled first
    model.on("msg:custom", (content, buffers) => {
      if (content.kind === "slices") this.receive(content, buffers);
    });
  }

  get(plane, index) {
    const key = `${plane}/${index}`;
    const slice = this.kept.get(key);
    if (slice) {
      this.kept.delete(key);
      this.kept.set(key, slice);
    }
    return slice;
  }

  /** What is there and nearest to a slice on the way to it, a few slices off at most; null where nothing is. */
  nearest(plane, from, index) {
    const back = Math.sign(from - index);
    for (let i = index; i !== from && Math.abs(i - index) <= PREFETCH_AHEAD; i += back) {
      if (this.kept.has(`${plane}/${i}`)) return i;
    }
    return null;
  }

  want(view, slices, direction) {
    this.wants.set(view, { slices, direction });
    this.ask();
  }

  forget(view) {
    this.wants.delete(view);
  }

  ask() {
    for (const { slices } of this.wants.values()) {
      for (const [plane, index] of slices) {
        if (this.requests < REQUESTS_IN_FLIGHT && this.lacks(plane, index)) this.send(plane, [index]);
      }
    }
    // One request is kept free for where a view goes next.
    for (const want of this.wants.values()) {
      if (this.requests > 0) return;
      const neighbours = this.neighbours(want);
      if (neighbours.length) this.send(want.slices[0][0], neighbours.slice(0, SLICES_PER_PREFETCH));
    }
  }

  neighbours({ slices: [[plane, index]], direction }) {
    const ahead = Array.from({ length: PREFETCH_AHEAD }, (_, i) => index + direction * (i + 1));
    const behind = Array.from({ length: PREFETCH_BEHIND }, (_, i) => index - direction * (i + 1));
    return [...ahead, ...behind].filter((i) => i >= 0 && i < this.volume.shape[plane] && this.lacks(plane, i));
  }

  lacks(plane, index) {
    const key = `${plane}/${index}`;
    return !this.kept.has(key) && !this.pending.has(key);
  }

  send(plane, indices) {
    this.requests += 1;
    indices.forEach((index) => this.pending.add(`${plane}/${index}`));
    this.model.send({ kind: "slices", plane, indices });
  }

  receive({ plane, indices }, buffers) {
    this.requests = Math.max(0, this.requests - 1);
    const each = 1 + this.masks + this.heats;
    indices.forEach((index, i) => {
      this.pending.delete(`${plane}/${index}`);
      this.keep(`${plane}/${index}`, this.unpack(buffers.slice(i * each, (i + 1) * each)));
    });
    for (const view of this.wants.keys()) view.arrived();
    this.ask();
  }

  keep(key, slice) {
    this.drop(key);
    this.kept.set(key, slice);
    this.bytes += slice.bytes;
    while (this.bytes > CACHE_BYTES && this.kept.size > LEAST_KEPT) this.drop(this.kept.keys().next().value);
  }

  drop(key) {
    this.bytes -= this.kept.get(key)?.bytes ?? 0;
    this.kept.delete(key);
  }

  /** HU, the labels of all masks as the digits of one number per voxel, to the base of 3, and the probabilities. */
  unpack([hu, ...others]) {
    // A copy, since a message's buffers need not be aligned to two bytes.
    const values = new Int16Array(copyOf(hu));
    const labels = new Uint8Array(values.length);
    others.slice(0, this.masks).forEach((packed, layer) => {
      if (!packed.byteLength) return;
      const place = 3 ** layer;
      for (let i = 0; i < labels.length; i++) {
        labels[i] += place * ((packed.getUint8(i >> 2) >> (2 * (i & 3))) & 3);
      }
    });
    const heats = others.slice(this.masks).map((heat) => (heat.byteLength ? new Uint8Array(copyOf(heat)) : null));
    const bytes = values.length * (3 + heats.filter(Boolean).length);
    return { hu: values, labels, heats, outlines: null, bytes };
  }
}

const copyOf = ({ buffer, byteOffset, byteLength }) => buffer.slice(byteOffset, byteOffset + byteLength);

/** What Python has counted: lesions, and areas and Dice of the slices of each plane. Null until it has come. */
class Facts {
  constructor(model, volume) {
    this.model = model;
    this.volume = volume;
    this.tables = null; // per prediction, or of the reference alone, its lesions
    this.planes = null; // per plane { areas: per mask, dice: per prediction }, each flat: liver, tumour, liver, …
    this.waiting = new Set();
    model.on("msg:custom", (content, buffers) => {
      if (content.kind === "facts") this.receive(content, buffers);
    });
  }

  ask() {
    if (this.asked || !this.model.get("layers").length) return;
    this.asked = true;
    this.model.send({ kind: "facts" });
  }

  receive({ tables }, buffers) {
    const masks = this.model.get("layers").length;
    const pairs = this.model.get("has_reference") ? masks - 1 : 0;
    const next = () => copyOf(buffers.shift());
    this.planes = PLANES.map((_, plane) => {
      const areas = Array.from({ length: masks }, () => new Float32Array(next()));
      const dice = Array.from({ length: pairs }, () => new Float32Array(next()));
      for (const lesions of tables) {
        const corners = new Int16Array(next());
        let start = 0;
        for (const lesion of lesions) {
          const [first, end] = lesion.box[plane];
          lesion.corners ??= [];
          lesion.corners[plane] = corners.subarray(start, (start += 2 * (end - first)));
        }
      }
      return { areas, dice };
    });
    this.tables = tables;
    for (const tell of this.waiting) tell();
  }
}

/** Where a lesion's number is written in a slice; null where the slice does not cut it. */
function cornerOf(lesion, plane, index) {
  const at = 2 * (index - lesion.box[plane][0]);
  const [row, column] = lesion.corners[plane].subarray(Math.max(at, 0), at + 2);
  return row >= 0 && at >= 0 ? { row, column } : null;
}

/** The lesion after (direction 1) or before (−1) the cursor on the way along a plane's axis, round and round. */
function nextLesion(lesions, plane, cursor, direction) {
  const along = [...lesions].sort((a, b) => a.voxel[plane] - b.voxel[plane] || a.number - b.number);
  const here = along.findIndex(({ voxel }) => same(voxel, cursor));
  if (here >= 0) return along.at((here + direction) % along.length);
  const ahead = direction > 0 ? along : along.reverse();
  return ahead.find(({ voxel }) => (voxel[plane] - cursor[plane]) * direction >= 0) ?? ahead[0];
}

/** The slice of the lowest tumour Dice, of equal ones that with the most tumour; undefined without any tumour. */
function worstSlice(dice, areas) {
  const rank = (index) => [dice[2 * index + 1], -areas.reduce((sum, area) => sum + area[2 * index + 1], 0)];
  const slices = Array.from({ length: dice.length / 2 }, (_, index) => index);
  const withTumor = slices.filter((index) => !Number.isNaN(dice[2 * index + 1]));
  return withTumor.sort((a, b) => rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1])[0];
}


// ---- Painting: numbers in, pixels out

function labelOf(labels, layer) {
  return Math.floor(labels / 3 ** layer) % 3;
}

function rgb(color) {
  return [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
}

/**
 * For each combination of labels four numbers: the share of the CT that stays, and the colour that is added.
 * `coats` gives the [colour, opacity] that lie on a combination, from below to above.
 */
function coatTable(layerCount, coats) {
  const rows = Array.from({ length: 3 ** layerCount }, (_, labels) => {
    let keep = 1;
    let add = [0, 0, 0];
    for (const [color, alpha] of coats(labels)) {
      keep *= 1 - alpha;
      add = rgb(color).map((value, channel) => add[channel] * (1 - alpha) + value * alpha);
    }
    return [keep, ...add];
  });
  return Float64Array.from(rows.flat());
}

/** The masks of some layers, each over the ones before. */
function maskTable(layers, shown, opacity, liverShare) {
  return coatTable(layers.length, (labels) =>
    shown
      .filter((layer) => labelOf(labels, layer))
      .map((layer) => [layers[layer].color, labelOf(labels, layer) === TUMOR ? opacity : opacity * liverShare]),
  );
}

/** What is right and wrong in the tumour of a prediction. */
function errorTable(layers, reference, prediction, colors, opacity) {
  return coatTable(layers.length, (labels) => {
    const expected = labelOf(labels, reference) === TUMOR;
    const found = labelOf(labels, prediction) === TUMOR;
    if (!expected && !found) return [];
    return [[expected && found ? colors.common : expected ? colors.missed : colors.excess, opacity]];
  });
}

/** The opaque gray pixel of each int16 value, as one word of RGBA. */
function grayWords([low, high]) {
  const pixels = new Uint8ClampedArray(4 * 65536);
  for (let hu = -32768, p = 0; hu < 32768; hu++, p += 4) {
    pixels[p] = pixels[p + 1] = pixels[p + 2] = (hu - low) * (255 / (high - low));
    pixels[p + 3] = 255;
  }
  return new Uint32Array(pixels.buffer);
}

/** Paints a slice into `pixels` (RGBA; clamped and rounded as they are written). Most voxels have no label: be fast. */
function blend({ hu, labels }, [low, high], grays, table, pixels) {
  const words = new Uint32Array(pixels.buffer);
  const scale = 255 / (high - low);
  for (let i = 0; i < hu.length; i++) {
    if (labels[i] === 0) {
      words[i] = grays[hu[i] + 32768];
      continue;
    }
    const row = 4 * labels[i];
    const kept = Math.min(Math.max((hu[i] - low) * scale, 0), 255) * table[row];
    pixels[4 * i] = kept + table[row + 1];
    pixels[4 * i + 1] = kept + table[row + 2];
    pixels[4 * i + 2] = kept + table[row + 3];
    pixels[4 * i + 3] = 255;
  }
}

/** As `blend`, with a probability (null where all is 0) instead of masks; `colors` has 256 times red, green, blue. */
function blendHeat({ hu }, heat, [low, high], grays, colors, opacity, pixels) {
  const words = new Uint32Array(pixels.buffer);
  const scale = 255 / (high - low);
  const most = Math.min(1, 2 * opacity);
  for (let i = 0; i < hu.length; i++) {
    const probability = heat ? heat[i] : 0;
    if (probability === 0) {
      words[i] = grays[hu[i] + 32768];
      continue;
    }
    const alpha = most * (probability / 255);
    const kept = Math.min(Math.max((hu[i] - low) * scale, 0), 255) * (1 - alpha);
    for (let channel = 0; channel < 3; channel++) {
      pixels[4 * i + channel] = kept + colors[3 * probability + channel] * alpha;
    }
    pixels[4 * i + 3] = 255;
  }
}

/** Per layer, the outlines of the liver (tumours included) and of the tumours, as paths in units of pixels. */
function outlines({ labels }, layerCount, rows, columns) {
  const paths = Array.from({ length: layerCount }, () => ({ [LIVER]: new Path2D(), [TUMOR]: new Path2D() }));
  const side = (one, other, x0, y0, x1, y1) => {
    paths.forEach((path, layer) => {
      const [a, b] = [labelOf(one, layer), labelOf(other, layer)];
      for (const label of [LIVER, TUMOR]) {
        if (a >= label !== b >= label) {
          path[label].moveTo(x0, y0);
          path[label].lineTo(x1, y1);
        }
      }
    });
  };
  for (let y = 0, i = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++, i++) {
      const here = labels[i];
      if (x + 1 < columns && labels[i + 1] !== here) side(here, labels[i + 1], x + 1, y, x + 1, y + 1);
      if (y + 1 < rows && labels[i + columns] !== here) side(here, labels[i + columns], x, y + 1, x + 1, y + 1);
    }
  }
  return paths;
}

/** Words on a picture, legible on black and on white. */
function haloText(context, text, x, y, { color = "#f2f2f2", align = "left", baseline = "alphabetic", font }) {
  Object.assign(context, { font, textAlign: align, textBaseline: baseline, lineJoin: "round" });
  context.strokeStyle = "rgba(0, 0, 0, 0.85)";
  context.lineWidth = 3.5;
  context.strokeText(text, x, y);
  context.fillStyle = color;
  context.fillText(text, x, y);
}


// ---- Elements

function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function svg(tag, properties = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const labelled = (name, ...children) =>
  element("span", { class: "lits-segments", role: "group", "aria-label": name }, ...children);

/** A field for a number, and how to show one in it: not while another is being typed. */
function numberField(properties, changed) {
  const field = element("input", { type: "number", step: 1, ...properties });
  let typing = false;
  field.addEventListener("input", () => (typing = true));
  field.addEventListener("change", () => {
    typing = false;
    changed();
  });
  field.addEventListener("blur", () => (typing = false));
  const show = (value) => {
    if (!typing) field.value = value;
  };
  return [field, show];
}

function press(button, pressed) {
  if (button.getAttribute("aria-pressed") !== String(pressed)) button.setAttribute("aria-pressed", String(pressed));
}

function download(url, name) {
  element("a", { href: url, download: name }).click();
}

async function copyText(node) {
  try {
    await navigator.clipboard.writeText(node.textContent);
  } catch {
    // A page without https has no clipboard.
    getSelection().selectAllChildren(node);
    document.execCommand("copy");
  }
}


// ---- Panels

/** One picture: a slice of a plane with masks on it. Three canvases: the voxels, the outlines, and marks with words. */
class Panel {
  constructor(view, plane, prediction) {
    this.view = view;
    this.plane = plane;
    this.prediction = prediction; // the layer that it is about, in comparing; else null: the chosen one
    this.drawn = null; // the index on the canvas
    const { volume } = view;
    const [height, width] = [volume.rows(plane), volume.columns(plane)];
    this.image = element("canvas", { class: "lits-image", width, height });
    this.pixels = this.image.getContext("2d").createImageData(width, height);
    this.lines = element("canvas", { class: "lits-lines" });
    this.marks = element("canvas", { class: "lits-marks" });
    this.node = element(
      "div",
      { class: "lits-panel", "data-plane": PLANES[plane].name, "data-sides": PLANES[plane].sides.join("") },
      this.image,
      this.lines,
      this.marks,
    );
    if (prediction !== null) this.node.dataset.model = view.layers[prediction].name;
  }

  get index() {
    return this.view.settings.get("cursor")[this.plane];
  }

  get slice() {
    return this.view.source.get(this.plane, this.drawn);
  }

  /** How the slice lies in the panel: the corner and the size of a pixel, in CSS pixels. */
  fit() {
    const { volume, settings } = this.view;
    const [width, height] = [this.node.clientWidth, this.node.clientHeight];
    const [rows, columns] = [volume.rows(this.plane), volume.columns(this.plane)];
    const [dy, dx] = volume.pixelMm(this.plane);
    const scale = Math.min(width / (columns * dx), height / (rows * dy)) * settings.get("zoom");
    const middle = volume.place(this.plane, settings.get("middle") ?? volume.centre);
    const pixel = { width: dx * scale, height: dy * scale };
    const [left, top] = [width / 2 - middle.column * pixel.width, height / 2 - middle.row * pixel.height];
    Object.assign(this, { width, height, pixel, left, top });
    Object.assign(this.image.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${columns * pixel.width}px`,
      height: `${rows * pixel.height}px`,
      imageRendering: pixel.width > 5 ? "pixelated" : "auto",
    });
    for (const canvas of [this.lines, this.marks]) {
      const [across, down] = [width, height].map((side) => Math.round(side * window.devicePixelRatio));
      if (canvas.width !== across) canvas.width = across;
      if (canvas.height !== down) canvas.height = down;
    }
  }

  /** Where in the slice a pointer is, in pixels of the slice. */
  placeOf({ clientX, clientY }) {
    const box = this.node.getBoundingClientRect();
    return {
      row: (clientY - box.top - this.top) / this.pixel.height,
      column: (clientX - box.left - this.left) / this.pixel.width,
    };
  }

  onScreen({ row, column }) {
    return [this.left + column * this.pixel.width, this.top + row * this.pixel.height];
  }

  /** What can be drawn: the slice that is wanted, or, as long as it has not come, one on the way or the one before. */
  get drawable() {
    const { source } = this.view;
    if (this.drawn === null) return source.get(this.plane, this.index) ? this.index : null;
    return source.nearest(this.plane, this.drawn, this.index) ?? this.drawn;
  }

  draw() {
    if (!this.node.clientWidth) return;
    this.fit();
    this.drawn = this.drawable;
    if (!this.slice) return;
    this.view.paint(this, this.slice, this.pixels.data);
    this.image.getContext("2d").putImageData(this.pixels, 0, 0);
    this.drawLines(this.slice);
    this.drawMarks();
    this.image.dataset.slice = this.drawn;
    this.image.dataset.draws = Number(this.image.dataset.draws ?? 0) + 1;
  }

  drawLines(slice) {
    const { layers, settings, volume } = this.view;
    const ratio = window.devicePixelRatio;
    const context = this.lines.getContext("2d");
    context.clearRect(0, 0, this.lines.width, this.lines.height);
    slice.outlines ??= outlines(slice, layers.length, volume.rows(this.plane), volume.columns(this.plane));
    const { left, top, pixel } = this;
    const toScreen = new DOMMatrix([pixel.width, 0, 0, pixel.height, left, top].map((value) => value * ratio));
    context.globalAlpha = Math.min(1, 2 * settings.get("opacity"));
    context.lineCap = "square";
    const shown = this.view.layersOf(this);
    shown.forEach((layer, i) => {
      context.strokeStyle = layers[layer].color;
      for (const [label, width] of [[LIVER, 1], [TUMOR, 1.5]]) {
        const path = new Path2D();
        path.addPath(slice.outlines[layer][label], toScreen);
        // A lower layer's lines are wider, so that where two agree both are seen.
        context.lineWidth = (width + 0.8 * (shown.length - 1 - i)) * ratio;
        context.stroke(path);
      }
    });
  }

  drawMarks() {
    const context = this.marks.getContext("2d");
    const ratio = window.devicePixelRatio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (this.view.crosshair) this.drawCrosshair(context);
    if (this.view.settings.get("numbers")) this.drawNumbers(context);
    this.drawRuler(context);
    this.drawWords(context);
  }

  drawCrosshair(context) {
    const [x, y] = this.onScreen(this.view.volume.place(this.plane, this.view.settings.get("cursor")));
    const gap = clamp(this.pixel.width, 7, 40);
    for (const [color, width] of [["rgba(0, 0, 0, 0.55)", 3], ["#9be8ff", 1]]) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.beginPath();
      for (const [x0, y0, x1, y1] of [
        [0, y, x - gap, y], [x + gap, y, this.width, y], [x, 0, x, y - gap], [x, y + gap, x, this.height],
      ]) {
        context.moveTo(x0, y0);
        context.lineTo(x1, y1);
      }
      context.stroke();
    }
  }

  drawNumbers(context) {
    const font = "700 13px system-ui, sans-serif";
    for (const lesion of this.view.lesionsOf(this)) {
      const corner = cornerOf(lesion, this.plane, this.drawn);
      if (!corner) continue;
      const [x, y] = this.onScreen(corner);
      haloText(context, String(lesion.number), x + 2, y - 1, { color: this.view.fateColors[lesion.fate], font });
    }
  }

  drawRuler(context) {
    const { ruler, volume } = this.view;
    if (!ruler || [ruler.from, ruler.to].some((end) => Math.round(end[this.plane]) !== this.drawn)) return;
    const [[x0, y0], [x1, y1]] = [ruler.from, ruler.to].map((end) => this.onScreen(volume.place(this.plane, end)));
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (!length) return;
    const [nx, ny] = [(-(y1 - y0) / length) * 6, ((x1 - x0) / length) * 6];
    for (const [color, width] of [["rgba(0, 0, 0, 0.7)", 4], ["#ffffff", 1.5]]) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.beginPath();
      for (const [a, b, c, d] of [
        [x0, y0, x1, y1], [x0 - nx, y0 - ny, x0 + nx, y0 + ny], [x1 - nx, y1 - ny, x1 + nx, y1 + ny],
      ]) {
        context.moveTo(a, b);
        context.lineTo(c, d);
      }
      context.stroke();
    }
    const font = "600 13px system-ui, sans-serif";
    const align = x1 > this.width - 90 ? "right" : "left";
    haloText(context, this.view.rulerText(), x1 + (align === "left" ? 9 : -9), clamp(y1 - 6, 16, this.height - 6), {
      font, align,
    });
  }

  /** The letters of the sides, and above the picture what it is where there are several. */
  drawWords(context) {
    const font = "600 14px system-ui, sans-serif";
    const [top, bottom, left, right] = PLANES[this.plane].sides;
    haloText(context, top, this.width / 2, 8, { align: "center", baseline: "top", font });
    haloText(context, bottom, this.width / 2, this.height - 8, { align: "center", font });
    haloText(context, left, 10, this.height / 2, { baseline: "middle", font });
    haloText(context, right, this.width - 10, this.height / 2, { align: "right", baseline: "middle", font });
    const { title, color } = this.view.titleOf(this);
    context.font = "600 13px system-ui, sans-serif";
    const y = 20 + context.measureText(title).width < this.width / 2 ? 8 : 28; // beside the upper letter, or below it
    haloText(context, title, 10, y, { baseline: "top", color, font: context.font });
  }

  /** Copies what is on the screen onto a canvas, at (x, y) in its pixels. */
  copyTo(context, x, y) {
    const ratio = window.devicePixelRatio;
    const [width, height] = [this.width * ratio, this.height * ratio];
    const { left, top, pixel, image } = this;
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    context.imageSmoothingEnabled = image.style.imageRendering === "auto";
    const size = [image.width * pixel.width * ratio, image.height * pixel.height * ratio];
    context.drawImage(image, x + left * ratio, y + top * ratio, ...size);
    for (const canvas of [this.lines, this.marks]) context.drawImage(canvas, x, y);
    context.restore();
  }
}


// ---- The strip

/** Below the slider: the areas of liver and tumour in every slice of a plane, and Dice. A click goes there. Drawn by the page's own styles, so in any theme. */
class Strip {
  constructor(view) {
    this.view = view;
    this.lanes = ["Liver", "Tumour", "Dice"].map((name) => {
      const words = element("span", { class: "lits-lane-words" });
      const box = element("div", { class: "lits-lane" });
      return { name, words, box, label: element("div", { class: "lits-lane-label" }, name, words) };
    });
    this.mark = element("div", { class: "lits-mark" });
    this.plot = element(
      "div",
      { class: "lits-plot", role: "img", "aria-label": "Areas and Dice of every slice" },
      element("div", { class: "lits-lanes" }, ...this.lanes.map(({ box }) => box), this.mark),
    );
    this.legend = element("div", { class: "lits-legend" });
    this.labels = element("div", { class: "lits-lane-labels" }, ...this.lanes.map(({ label }) => label));
    this.node = element("div", { class: "lits-strip" }, this.labels, this.plot, this.legend);
    const go = (event) => {
      const box = this.mark.parentElement.getBoundingClientRect();
      view.go(Math.round(((event.clientX - box.left) / box.width) * (view.depth - 1)));
    };
    this.plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.plot.setPointerCapture(event.pointerId);
      view.stage.focus({ preventScroll: true }); // a number that is being typed is done before, not after
      this.dragged = true;
      go(event);
    });
    this.plot.addEventListener("pointermove", (event) => this.dragged && go(event));
    for (const end of ["pointerup", "pointercancel"]) this.plot.addEventListener(end, () => (this.dragged = false));
  }

  /** Draws what is known of the current plane, if that or the layers shown have changed. */
  follow() {
    const { view } = this;
    const last = Math.max(view.depth - 1, 1);
    this.mark.style.left = `${(100 * view.index) / last}%`;
    const key = JSON.stringify([view.settings.plane, view.shownLayers(), Boolean(view.facts.planes), view.predictionsInView()]);
    this.node.hidden = !view.facts.planes;
    if (key === this.key || this.node.hidden) return;
    this.key = key;
    this.draw(view.facts.planes[view.settings.plane], last);
  }

  draw({ areas, dice }, last) {
    const { view } = this;
    const shown = view.shownLayers();
    const lines = [LIVER, TUMOR].map((label) => {
      const mine = shown.map((layer) => ({ layer, values: areas[layer].filter((_, i) => i % 2 === label - 1) }));
      const highest = Math.max(...mine.map(({ values }) => values.reduce((a, b) => Math.max(a, b), 0)), 0);
      return { highest, mine };
    });
    lines.forEach(({ highest, mine }, i) => {
      this.lanes[i].words.textContent = highest ? ` to ${squareCm(highest)} cm²` : " none";
      const paths = mine.map(({ layer, values }) =>
        curve(values.map((value) => value / (highest || 1)), view.layers[layer].color, view.isReference(layer) ? "lits-area" : ""),
      );
      this.lanes[i].box.replaceChildren(plot(last, paths));
    });
    const pairs = dice.length ? view.predictionsInView() : [];
    const paths = pairs.flatMap((layer) => {
      const values = dice[layer - 1];
      return [TUMOR, LIVER].map((label) =>
        curve(values.filter((_, i) => i % 2 === label - 1), view.layers[layer].color, label === LIVER ? "lits-dashed" : ""),
      );
    });
    const { label, box, words } = this.lanes[2];
    label.hidden = box.hidden = !dice.length;
    words.textContent = " 0 to 1";
    box.replaceChildren(plot(last, paths));
    this.legend.replaceChildren(
      ...shown.map((layer) =>
        element("span", { class: "lits-key", style: `--lits-layer: ${view.layers[layer].color}` }, view.layers[layer].name),
      ),
      element("span", {}, dice.length ? "Dice: full line tumour, dashed liver" : "areas in each slice"),
    );
  }
}

/** The steps of one value 0…1 per slice, as a path in units of slices and percent; gaps where it is not a number. */
function curve(values, color, kind) {
  const closed = kind === "lits-area";
  let steps = closed ? "M-0.5 100" : "";
  let pen = closed;
  [...values].forEach((value, index) => {
    if (Number.isNaN(value)) {
      pen = false;
      return;
    }
    const y = (100 - 96 * value).toFixed(1);
    steps += `${pen ? "L" : "M"}${index - 0.5} ${y}H${index + 0.5}`;
    pen = true;
  });
  if (closed) steps += "V100Z";
  return svg("path", { d: steps, class: kind, style: `--lits-layer: ${color}` });
}

function plot(last, paths) {
  return svg("svg", { viewBox: `0 0 ${last} 100`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...paths);
}


// ---- The table of lesions

const COLUMNS = [
  { name: "#", value: (lesion) => lesion.number, text: String },
  { name: "Fate", value: (lesion) => lesion.fate, text: capital },
  { name: "ml", title: "Volume in ml", value: (lesion) => lesion.volume_ml, text: (ml) => ml.toFixed(ml < 10 ? 2 : 1) },
  { name: "Size", title: "Size group, by voxels", value: (lesion) => lesion.size_group, text: capital },
  { name: "Dice", value: (lesion) => lesion.dice, text: (dice) => dice.toFixed(2) },
  {
    name: "mm",
    title: "Distance: of a hit, the mean one of both surfaces; else to the nearest lesion of the other mask",
    value: (lesion) => lesion.distance_mm,
    text: (mm) => mm.toFixed(1),
  },
];

class LesionTable {
  constructor(view) {
    this.view = view;
    this.order = { column: 2, direction: -1 }; // the largest first
    this.summary = element("summary", {}, "Lesions");
    this.models = labelled("Model of the lesions, errors and heat");
    this.head = element("tr");
    this.body = element("tbody");
    this.node = element(
      "details",
      { class: "lits-lesions", open: "" },
      this.summary,
      this.models,
      element("div", { class: "lits-rows" }, element("table", {}, element("thead", {}, this.head), this.body)),
    );
    this.buildModels();
  }

  buildModels() {
    const { view } = this;
    const predictions = view.predictions();
    this.models.hidden = predictions.length < 2;
    this.models.append(
      ...predictions.map((layer) => {
        const { name, color } = view.layers[layer];
        const choose = () => view.settings.set({ chosen: name });
        const button = element("button", { type: "button", title: `Lesions of ${name}`, onclick: choose }, name);
        button.style.setProperty("--lits-layer", color);
        view.follow(() => press(button, view.settings.get("chosen") === name));
        return button;
      }),
    );
  }

  follow() {
    const { view } = this;
    const lesions = view.lesionsOf(null);
    this.node.hidden = !view.facts.tables;
    const key = JSON.stringify([view.chosen, this.order, lesions.length]);
    if (key !== this.key && !this.node.hidden) {
      this.key = key;
      this.draw(lesions);
    }
    for (const { lesion, row } of this.rows ?? []) {
      row.classList.toggle("lits-in-view", Boolean(cornerOf(lesion, view.settings.plane, view.index)));
      row.classList.toggle("lits-at", same(lesion.voxel, view.settings.get("cursor")));
    }
  }

  draw(lesions) {
    const fates = ["hit", "miss", "false alarm", "lesion"].map((fate) => {
      const count = lesions.filter((lesion) => lesion.fate === fate).length;
      const plural = { miss: "misses" }[fate] ?? `${fate}s`;
      return count ? `${count} ${count === 1 ? fate : plural}` : "";
    });
    this.summary.textContent = `Lesions: ${fates.filter(Boolean).join(", ") || "none"}`;
    this.head.replaceChildren(
      ...COLUMNS.map(({ name, title }, column) => {
        const sorted = this.order.column === column ? (this.order.direction > 0 ? "ascending" : "descending") : "none";
        const button = element("button", { type: "button", title: title ?? name, onclick: () => this.sortBy(column) }, name);
        return element("th", { scope: "col", "aria-sort": sorted }, this.view.guarded(button));
      }),
    );
    const { column, direction } = this.order;
    const value = (lesion) => COLUMNS[column].value(lesion);
    const sorted = [...lesions].sort((a, b) => {
      const [one, other] = [value(a), value(b)];
      if (one === null || other === null) return (one === null) - (other === null); // what there is none of comes last
      return (one < other ? -1 : one > other ? 1 : 0) * direction || a.number - b.number;
    });
    this.rows = sorted.map((lesion) => ({ lesion, row: this.row(lesion) }));
    this.body.replaceChildren(...this.rows.map(({ row }) => row));
  }

  sortBy(column) {
    const again = this.order.column === column;
    this.order = { column, direction: again ? -this.order.direction : COLUMNS[column].name === "ml" ? -1 : 1 };
    this.view.refresh();
    this.follow();
    this.head.querySelectorAll("button")[column].focus();
  }

  row(lesion) {
    const jump = () => this.view.jump(lesion);
    const cells = COLUMNS.map(({ name, value, text }) => {
      const cell = element("td", {}, value(lesion) === null ? "–" : text(value(lesion)));
      if (name === "Fate") cell.prepend(element("span", { class: "lits-fate", style: `--lits-layer: ${this.view.fateColors[lesion.fate]}` }));
      return cell;
    });
    const row = element("tr", { tabindex: "0", title: "Go to this lesion", onclick: jump }, ...cells);
    row.dataset.lesion = lesion.number;
    row.addEventListener("keydown", (event) => {
      const beside = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
      if (event.key === "Enter" || event.key === " ") jump();
      else if (beside) beside.focus();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return this.view.guarded(row);
  }
}


// ---- The browser

/** What keys and buttons do, by name; help and tooltips tell of the same. `needs` says when it is of any use. */
function commandsOf(view) {
  const { settings } = view;
  const toggle = (name) => () => settings.set({ [name]: !settings.get(name) });
  const fill = (changes) => () => settings.set({ errors: false, heat: false, ...changes });
  const nudge = (down, across) => () => view.nudge(down, across);
  const lesions = () => view.lesionsOf(null).length > 0;
  const fate = (name) => () => view.lesionsOf(null).some((lesion) => lesion.fate === name);
  const commands = {
    up: { group: "Slice", keys: ["ArrowUp", "ArrowRight"], words: "one slice on", run: () => view.step(1) },
    down: { group: "Slice", keys: ["ArrowDown", "ArrowLeft"], words: "one slice back", run: () => view.step(-1) },
    upTen: { group: "Slice", keys: ["PageUp"], words: "ten slices on", run: () => view.step(10) },
    downTen: { group: "Slice", keys: ["PageDown"], words: "ten slices back", run: () => view.step(-10) },
    first: { group: "Slice", keys: ["Home"], words: "first slice", run: () => view.go(0) },
    last: { group: "Slice", keys: ["End"], words: "last slice", run: () => view.go(view.depth - 1) },
    next: { group: "Go to", keys: ["."], words: "next lesion", needs: lesions, run: () => view.toLesion(1) },
    previous: { group: "Go to", keys: [","], words: "previous lesion", needs: lesions, run: () => view.toLesion(-1) },
    miss: { group: "Go to", keys: ["m"], words: "next miss", needs: fate("miss"), run: () => view.toLesion(1, "miss") },
    alarm: {
      group: "Go to", keys: ["f"], words: "next false alarm", needs: fate("false alarm"),
      run: () => view.toLesion(1, "false alarm"),
    },
    worst: {
      group: "Go to", keys: ["w"], words: "slice with the lowest tumour Dice",
      needs: () => view.worst() !== undefined, run: () => view.go(view.worst()),
    },
    axial: { group: "Planes", keys: ["a"], words: "axial", run: () => settings.set({ plane: "axial" }) },
    coronal: { group: "Planes", keys: ["c"], words: "coronal", run: () => settings.set({ plane: "coronal" }) },
    sagittal: { group: "Planes", keys: ["s"], words: "sagittal", run: () => settings.set({ plane: "sagittal" }) },
    planes: { group: "Planes", keys: ["t"], words: "all three planes", run: () => view.layOut("planes") },
    compare: {
      group: "Planes", keys: ["b"], words: "models beside each other", needs: () => view.predictions().length > 1,
      run: () => view.layOut("compare"),
    },
    crosshair: { group: "Planes", keys: ["x"], words: "crosshair", run: () => view.setCrosshair(!view.crosshair) },
    nudgeUp: { group: "Planes", keys: ["Shift+ArrowUp"], words: "crosshair by a voxel, up", run: nudge(-1, 0) },
    nudgeDown: { group: "Planes", keys: ["Shift+ArrowDown"], words: "down", run: nudge(1, 0) },
    nudgeLeft: { group: "Planes", keys: ["Shift+ArrowLeft"], words: "left", run: nudge(0, -1) },
    nudgeRight: { group: "Planes", keys: ["Shift+ArrowRight"], words: "right", run: nudge(0, 1) },
    closer: { group: "Window and zoom", keys: ["+", "="], words: "closer", run: () => view.zoomHere(1.25) },
    farther: { group: "Window and zoom", keys: ["-"], words: "farther", run: () => view.zoomHere(1 / 1.25) },
    reset: { group: "Window and zoom", keys: ["0"], words: "window, zoom and place as opened", run: () => view.reset() },
  };
  Object.entries(settings.get("windows")).forEach(([name, window], i) => {
    commands[name] = {
      group: "Window and zoom", keys: [String(i + 1)], run: () => settings.set({ window }),
      words: `window ${name}: ${window.map(typographic).join(" to ")} HU`,
    };
  });
  view.layers.forEach(({ name, key }, i) => {
    commands[`layer${i}`] = { group: "Masks", keys: [key], words: `show or hide ${name}`, run: () => view.toggle(i) };
  });
  if (view.layers.length) {
    commands.filled = {
      group: "Masks", keys: ["d"], words: "masks filled or outlined",
      run: () => fill({ filled: view.fill !== "filled" })(),
    };
    commands.numbers = { group: "Masks", keys: ["n", "#"], words: "numbers of the lesions", run: toggle("numbers") };
  }
  if (view.canShowErrors()) {
    commands.errors = {
      group: "Masks", keys: ["e"], words: "errors: tumour in both masks, missed, too much",
      run: () => fill({ errors: view.fill !== "errors" })(),
    };
  }
  if (settings.get("probabilities").length) {
    commands.heat = {
      group: "Masks", keys: ["h"], words: "heat: the probability of tumour", run: () => fill({ heat: view.fill !== "heat" })(),
    };
  }
  Object.assign(commands, {
    ruler: { group: "Tools", keys: ["l"], words: "ruler: drag, or move the crosshair by Shift and arrows", run: () => view.toggleRuler() },
    escape: { group: "Tools", keys: ["Escape"], words: "remove the ruler", run: () => view.removeRuler() },
    help: { group: "Tools", keys: ["?"], words: "this help", run: () => view.help.showModal() },
  });
  return commands;
}

const GESTURES = [
  ["Wheel", "slice"],
  ["Drag", "window (across) and level (down)"],
  ["Click", "puts the crosshair there"],
  ["Ctrl + wheel", "zoom about the pointer"],
  ["Shift + drag, middle button", "move what is zoomed"],
  ["Double click", "window, zoom and place as opened"],
  ["Touch", "one finger: slice; two: zoom and move"],
];

const KEY_NAMES = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", PageUp: "Page ↑", PageDown: "Page ↓", "-": "−" };
const keyName = (key) => key.replace("Shift+", "⇧ ").replace(/\w+$|.$/, (last) => KEY_NAMES[last] ?? capital(last));

/** A key press in the words of `commandsOf`: Shift is told with arrows only, elsewhere it makes another character. */
function keyOf(event) {
  if (event.shiftKey && event.key.startsWith("Arrow")) return `Shift+${event.key}`;
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

class BrowserView {
  constructor(model, { settings, volume, source, facts }, root) {
    Object.assign(this, { model, settings, volume, source, facts, root });
    this.layers = model.get("layers");
    const { common, missed, excess } = model.get("error_colors");
    this.fateColors = { hit: common, miss: missed, "false alarm": excess, lesion: "#ffffff" };
    this.heatColors = Uint8Array.from(model.get("heat_colors").match(/../g) ?? [], (byte) => parseInt(byte, 16));
    this.openedWith = settings.get("window");
    this.direction = 1;
    this.pointer = null; // { panel, place } of the mouse
    this.ruler = null; // { from, to }: voxels in fractions; the tool is in use while it is there
    this.wheel = 0;
    this.followers = []; // what makes the controls agree with the settings
    this.commands = commandsOf(this);
    this.byKey = new Map(Object.values(this.commands).flatMap((command) => command.keys.map((key) => [key, command])));
    this.build();
    this.listen();
    this.layPanels();
  }

  // -- What is on the screen

  get plane() {
    return this.settings.plane;
  }

  get depth() {
    return this.volume.shape[this.plane];
  }

  get index() {
    return this.settings.get("cursor")[this.plane];
  }

  get crosshair() {
    return this.settings.get("crosshair");
  }

  /** What colours the voxels: one thing at a time. */
  get fill() {
    if (this.settings.get("heat")) return "heat";
    if (this.settings.get("errors")) return "errors";
    return this.settings.get("filled") ? "filled" : "outline";
  }

  isReference(layer) {
    return layer === 0 && this.settings.get("has_reference");
  }

  predictions() {
    return this.layers.map((_, layer) => layer).filter((layer) => !this.isReference(layer));
  }

  /** The layer of the prediction that errors, heat and lesions are about; −1 where there is none. */
  get chosen() {
    return this.layers.findIndex(({ name }) => name === this.settings.get("chosen"));
  }

  /** The prediction that a panel is about, as a layer. */
  predictionOf(panel) {
    return panel?.prediction ?? this.chosen;
  }

  /** The predictions whose Dice the strip shows. */
  predictionsInView() {
    const all = this.settings.get("view_layout") === "compare" ? this.predictions() : [this.chosen];
    return all.filter((layer) => layer >= 0 && this.isShown(layer));
  }

  isShown(layer) {
    return this.settings.get("shown").includes(this.layers[layer].name);
  }

  shownLayers() {
    return this.layers.map((_, layer) => layer).filter((layer) => this.isShown(layer));
  }

  /** The layers on a panel: all that are shown, but of predictions only its own where it is about one. */
  layersOf(panel) {
    const one = panel.prediction !== null || this.fill === "errors" || this.fill === "heat";
    return this.shownLayers().filter(
      (layer) => !one || this.isReference(layer) || layer === this.predictionOf(panel),
    );
  }

  /** The lesions of a panel's prediction, of the chosen one without a panel, or of the reference alone. */
  lesionsOf(panel) {
    const table = Math.max(this.predictions().indexOf(this.predictionOf(panel)), 0);
    return this.facts.tables?.[table] ?? [];
  }

  canShowErrors() {
    return this.settings.get("has_reference") && this.predictions().length > 0;
  }

  titleOf(panel) {
    if (panel.prediction !== null) {
      const { name, color } = this.layers[panel.prediction];
      const dice = this.facts.planes?.[panel.plane].dice[panel.prediction - 1]?.[2 * panel.drawn + 1];
      const known = dice !== undefined && !Number.isNaN(dice);
      return { title: known ? `${name}  ·  slice Dice ${dice.toFixed(2)}` : name, color };
    }
    const several = this.settings.get("view_layout") === "planes";
    return { title: several ? `${capital(PLANES[panel.plane].name)} ${panel.drawn}` : "", color: "#f2f2f2" };
  }

  paint(panel, slice, pixels) {
    const window = this.settings.get("window");
    const opacity = this.settings.get("opacity");
    if (this.grays?.window !== window) this.grays = { window, words: grayWords(window) };
    const grays = this.grays.words;
    if (this.fill === "heat") {
      const heat = this.settings.get("probabilities").indexOf(this.layers[this.predictionOf(panel)]?.name);
      blendHeat(slice, slice.heats[heat] ?? null, window, grays, this.heatColors, opacity, pixels);
      return;
    }
    const shown = this.layersOf(panel);
    const table =
      this.fill === "errors"
        ? errorTable(this.layers, 0, this.predictionOf(panel), this.settings.get("error_colors"), opacity)
        : maskTable(this.layers, shown, this.fill === "filled" ? opacity : 0, this.settings.get("liver_share"));
    blend(slice, window, grays, table, pixels);
  }

  // -- Building

  /** Registers what makes a control agree with the settings. */
  follow(update) {
    this.followers.push(update);
  }

  /**
   * Else JupyterLab takes the keys that are meant for the browser ("r" would make the cell raw, Enter would edit it).
   * Its shortcuts are for whatever has the focus, so the mark is needed on all that can have it.
   */
  guarded(node) {
    for (const one of [node, ...node.querySelectorAll("[tabindex], input, button, summary, dialog")]) {
      one.dataset.lmSuppressShortcuts = "true";
    }
    return node;
  }

  build() {
    this.badge = element("div", { class: "lits-badge", role: "status" });
    this.stage = element("div", {
      class: "lits-stage",
      tabindex: "0",
      role: "application",
      "aria-label":
        `CT of ${this.model.get("name")}. Arrow keys change the slice, Page Up and Page Down by ten, ` +
        "Home and End to the first and last. Drag for window and level. A question mark lists all keys.",
    });
    this.strip = new Strip(this);
    this.table = new LesionTable(this);
    this.help = this.buildHelp();
    this.dialog = element("dialog", { class: "lits-dialog lits-figure", "aria-label": "Figure" });
    this.root.append(
      element(
        "div",
        { class: "lits-frame" },
        this.heading(),
        this.toolbar(),
        this.masksBar(),
        element("div", { class: "lits-body" }, element("div", { class: "lits-main" }, this.stage, this.foot()), this.table.node),
      ),
      this.help,
      this.dialog,
    );
    this.root.classList.add("lits-browser");
    this.guarded(this.root);
    this.follow(() => this.strip.follow());
    this.follow(() => this.table.follow());
  }

  /** A button for a command; `pressed` says when it is on, for those that are on or off. */
  button(name, label, pressed) {
    const { keys, words, run, needs } = this.commands[name];
    const button = element(
      "button",
      { type: "button", title: `${capital(words)} (${keyName(keys[0])})`, "aria-keyshortcuts": keys[0], onclick: run },
      ...[label].flat(),
    );
    if (pressed) this.follow(() => press(button, pressed()));
    if (needs) this.follow(() => (button.disabled = !needs()));
    return button;
  }

  heading() {
    const [z, y, x] = this.volume.spacing.map((mm) => mm.toFixed(2));
    const [depth, rows, columns] = this.volume.shape;
    const plain = (text, title, onclick) => element("button", { type: "button", title, onclick }, text);
    return element(
      "div",
      { class: "lits-heading" },
      element("strong", { class: "lits-name" }, this.model.get("name")),
      element(
        "span",
        { class: "lits-size", title: "Voxels and their size along x, y, z" },
        `${columns} × ${rows} × ${depth}  ·  ${x} × ${y} × ${z} mm`,
      ),
      element(
        "span",
        { class: "lits-save" },
        plain("PNG", "Save what is on the screen", () => this.savePicture()),
        plain("Figure", "The same drawn by matplotlib, with the code that makes it", () => this.askForFigure()),
        this.button("help", "?"),
      ),
    );
  }

  toolbar() {
    const { settings } = this;
    const planes = PLANES.map(({ name }) => this.button(name, capital(name), () => settings.get("plane") === name));
    const layouts = [this.button("planes", "Three planes", () => settings.get("view_layout") === "planes")];
    if (this.predictions().length > 1) {
      layouts.push(this.button("compare", "Models", () => settings.get("view_layout") === "compare"));
    }
    const presets = Object.entries(settings.get("windows")).map(([name, window]) =>
      this.button(name, capital(name), () => same(window, settings.get("window"))),
    );
    const typed = () => {
      const [middle, wide] = [level.valueAsNumber, width.valueAsNumber];
      if (Number.isFinite(middle) && wide >= 1) settings.set({ window: [middle - wide / 2, middle + wide / 2] });
      this.refresh();
    };
    const [level, showLevel] = numberField({ step: 10, "aria-label": "Level in HU" }, typed);
    const [width, showWidth] = numberField({ step: 10, min: 1, "aria-label": "Width in HU" }, typed);
    this.follow(() => {
      const [low, high] = settings.get("window");
      showLevel((low + high) / 2);
      showWidth(high - low);
    });
    return element(
      "div",
      { class: "lits-toolbar" },
      labelled("Plane", ...planes),
      labelled("Layout", ...layouts),
      labelled("HU window", ...presets),
      element("label", {}, "Level", level),
      element("label", {}, "Width", width, element("span", { class: "lits-unit" }, "HU")),
    );
  }

  masksBar() {
    const { settings } = this;
    const tools = [
      this.button("crosshair", "Crosshair", () => this.crosshair),
      this.button("ruler", "Ruler", () => this.ruler !== null),
    ];
    if (!this.layers.length) return element("div", { class: "lits-toolbar" }, labelled("Tools", ...tools));
    tools.push(this.button("numbers", "Numbers", () => settings.get("numbers")));
    const layers = this.layers.map((layer, i) => {
      const label = [element("span", { class: "lits-swatch", "aria-hidden": "true" }), layer.name, element("kbd", { "aria-hidden": "true" }, layer.key.toUpperCase())];
      const button = this.button(`layer${i}`, label, () => this.isShown(i));
      button.classList.add("lits-toggle");
      button.style.setProperty("--lits-layer", layer.color);
      return button;
    });
    const plain = (name, label, title) => {
      const button = element("button", { type: "button", title, onclick: () => settings.set({ errors: false, heat: false, filled: name === "filled" }) }, label);
      this.follow(() => press(button, this.fill === name));
      return button;
    };
    const fills = [plain("filled", "Filled", "Fill the masks: liver light, tumour strong (D)"), plain("outline", "Outline", "Outline the masks only (D)")];
    for (const name of ["errors", "heat"]) {
      if (this.commands[name]) fills.push(this.button(name, capital(name), () => this.fill === name));
    }
    const opacity = element("input", {
      type: "range", min: 0, max: 100, step: 1, "aria-label": "Opacity of the masks", class: "lits-opacity",
      oninput: () => settings.set({ opacity: opacity.valueAsNumber / 100 }),
    });
    const percent = element("output", { class: "lits-percent" });
    this.follow(() => {
      opacity.value = Math.round(settings.get("opacity") * 100);
      percent.textContent = `${opacity.value} %`;
    });
    return element(
      "div",
      { class: "lits-toolbar" },
      element("span", { class: "lits-toggles", role: "group", "aria-label": "Masks" }, ...layers),
      labelled("Masks drawn", ...fills),
      element("label", {}, "Opacity", opacity, percent),
      this.fillKey(),
      labelled("Tools", ...tools),
      this.jumps(),
    );
  }

  jumps() {
    const jumps = [this.button("previous", "‹ Lesion"), this.button("next", "Lesion ›")];
    if (this.canShowErrors()) {
      jumps.push(this.button("miss", "Miss ›"), this.button("alarm", "False alarm ›"), this.button("worst", "Worst slice"));
    }
    return labelled("Go to", ...jumps);
  }

  /** What the colours of errors and heat mean. */
  fillKey() {
    const { common, missed, excess } = this.settings.get("error_colors");
    const key = (color, text) => element("span", { class: "lits-key", style: `--lits-layer: ${color}` }, text);
    const errors = [key(common, "in both"), key(missed, "missed"), key(excess, "too much")];
    const colors = Array.from({ length: 9 }, (_, i) => `rgb(${this.heatColors.slice(96 * i - (i === 8 ? 3 : 0)).slice(0, 3).join(" ")})`);
    const ramp = element("span", { class: "lits-ramp", style: `background: linear-gradient(90deg, ${colors.join(", ")})` });
    const box = element("span", { class: "lits-fill-key" });
    this.follow(() => {
      const known = this.settings.get("probabilities").includes(this.settings.get("chosen"));
      const heat = known || this.settings.get("view_layout") === "compare" ? ["p 0", ramp, "1"] : ["no probability"];
      box.hidden = !["errors", "heat"].includes(this.fill);
      box.replaceChildren(...(this.fill === "errors" ? errors : heat));
    });
    return box;
  }

  foot() {
    const slider = element("input", { type: "range", min: 0, step: 1, "aria-label": "Slice", oninput: () => this.go(slider.valueAsNumber) });
    const naming = { "aria-label": "Slice number", title: "Counted from 0, as in the array" };
    const [number, showNumber] = numberField({ min: 0, ...naming }, () => {
      const typed = Math.round(number.valueAsNumber);
      this.go(Number.isFinite(typed) ? typed : this.index);
      showNumber(this.index);
    });
    const of = element("span", { class: "lits-of" });
    this.follow(() => {
      slider.max = number.max = this.depth - 1;
      slider.value = this.index;
      slider.setAttribute("aria-valuetext", `${this.settings.get("plane")} slice ${this.index}`);
      showNumber(this.index);
      of.textContent = `of 0–${this.depth - 1}`;
    });
    const part = (name) => element("span", { class: `lits-${name}` });
    this.readout = {
      voxel: part("voxel"), world: part("world"), hu: part("hu"),
      labels: this.layers.map((layer) => element("span", { class: "lits-label", style: `--lits-layer: ${layer.color}` })),
      ruler: part("length"),
    };
    const { voxel, world, hu, labels, ruler } = this.readout;
    return element(
      "div",
      { class: "lits-foot" },
      element("div", { class: `lits-readout${labels.length > 2 ? " lits-two-lines" : ""}` }, voxel, world, hu, ...labels, ruler),
      element("div", { class: "lits-scroll" }, element("label", {}, "Slice", number, of), slider),
      this.strip.node,
    );
  }

  buildHelp() {
    const row = (keys, words) => element("tr", {}, element("td", {}, ...keys), element("td", {}, words));
    const keys = (command) => command.keys.map((key) => element("kbd", {}, keyName(key)));
    const groups = Object.groupBy
      ? Object.groupBy(Object.values(this.commands), ({ group }) => group)
      : Object.values(this.commands).reduce((all, one) => ({ ...all, [one.group]: [...(all[one.group] ?? []), one] }), {});
    const part = (title, rows) => element("section", {}, element("h3", {}, title), element("table", {}, ...rows));
    const close = element("button", { type: "button", onclick: () => help.close() }, "Close");
    const help = element(
      "dialog",
      { class: "lits-dialog lits-help", "aria-label": "Help of the slice browser" },
      element("header", {}, element("h2", {}, "Mouse and keys"), close),
      element(
        "div",
        { class: "lits-groups" },
        part("Mouse", GESTURES.map(([gesture, words]) => row([gesture], words))),
        ...Object.entries(groups).map(([title, commands]) => part(title, commands.map((one) => row(keys(one), one.words)))),
      ),
    );
    help.addEventListener("keydown", (event) => {
      if (event.key === "?") help.close();
      event.stopPropagation();
    });
    return help;
  }

  /** The panels of the current layout: one, a panel per plane, or one per prediction. */
  layPanels() {
    const layout = this.settings.get("view_layout");
    const shown = this.predictions().filter((layer) => this.isShown(layer));
    let kinds = [[this.plane, null]];
    if (layout === "planes") kinds = PLANES.map((_, plane) => [plane, null]);
    if (layout === "compare" && shown.length) kinds = shown.map((layer) => [this.plane, layer]);
    const key = JSON.stringify([layout, kinds]);
    if (key !== this.laidOut) {
      this.laidOut = key;
      this.pointer = null;
      this.panels = kinds.map(([plane, prediction]) => new Panel(this, plane, prediction));
      this.panels.forEach((panel) => this.listenTo(panel));
      this.stage.dataset.layout = layout;
      this.stage.style.setProperty("--lits-panels", this.panels.length);
      this.stage.replaceChildren(...this.panels.map(({ node }) => node), this.badge);
    }
    for (const panel of this.panels) {
      panel.node.classList.toggle("lits-active", layout === "planes" && panel.plane === this.plane);
    }
    this.want();
  }

  // -- Events

  listen() {
    const follow = () => this.refresh();
    const relay = () => this.layPanels();
    this.followed = {
      "change:cursor": () => this.want(),
      "change:plane": relay,
      "change:view_layout": relay,
      "change:shown": relay,
    };
    for (const name of ["window", "opacity", "filled", "errors", "heat", "numbers", "chosen", "zoom", "middle", "crosshair"]) {
      this.followed[`change:${name}`] = follow;
    }
    this.followed["msg:custom"] = (content, buffers) => {
      if (content.kind === "figure" && this.asking) this.showFigure(content, buffers);
    };
    for (const [event, listener] of Object.entries(this.followed)) this.model.on(event, listener);
    this.tell = follow;
    this.facts.waiting.add(this.tell);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.resizing = new ResizeObserver(() => this.refresh());
    this.resizing.observe(this.stage);
  }

  listenTo(panel) {
    const { node } = panel;
    node.addEventListener("wheel", (event) => this.scroll(panel, event), { passive: false });
    node.addEventListener("pointerdown", (event) => this.press(panel, event));
    node.addEventListener("pointermove", (event) => this.move(panel, event));
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, (event) => this.release(panel, event));
    node.addEventListener("pointerleave", () => this.pointAt(null));
    node.addEventListener("dblclick", (event) => event.shiftKey || this.ruler || this.reset());
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    if (target.type === "number") {
      // JupyterLab keeps Enter from ending the typing of a number.
      if (event.key === "Enter") target.dispatchEvent(new Event("change"));
      return;
    }
    const command = this.byKey.get(keyOf(event));
    const travels = /^(Arrow|Page|Home|End)/.test(event.key);
    if (!command || (travels && (target.type === "range" || target.closest(".lits-lesions")))) return;
    event.preventDefault();
    if (command.needs?.() ?? true) command.run();
  }

  /** Wheel up is towards the head. A notch is one slice; a touch pad's many small steps are added up. */
  scroll(panel, event) {
    if (event.metaKey || event.altKey || !event.deltaY) return;
    event.preventDefault();
    this.activate(panel);
    const notch = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 50 : 1;
    const way = clamp(event.deltaY / notch, -1, 1);
    if (event.ctrlKey) {
      this.zoomAbout(panel, panel.placeOf(event), 1.2 ** -way);
      return;
    }
    this.wheel += way;
    const steps = Math.trunc(this.wheel);
    this.wheel -= steps;
    if (steps) this.step(-steps);
  }

  press(panel, event) {
    if (event.pointerType === "touch") {
      (this.touches ??= new Map()).set(event.pointerId, { x: event.clientX, y: event.clientY, way: 0 });
      if (this.touches.size > 1) this.drag = null;
    }
    const pans = event.button === 1 || (event.button === 0 && event.shiftKey);
    if (event.button !== 0 && !pans) return;
    if (event.button === 1) event.preventDefault(); // else the page scrolls by itself
    panel.node.setPointerCapture(event.pointerId);
    this.activate(panel);
    const kind = pans ? this.panning(panel, event) : this.ruler ? this.measuring(panel, event) : this.windowing();
    if (this.touches?.size > 1) return;
    this.drag = { x: event.clientX, y: event.clientY, moved: false, to: kind };
  }

  move(panel, event) {
    const { drag } = this;
    if (this.touches?.has(event.pointerId)) this.moveFinger(panel, event);
    else if (drag) {
      const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
      drag.moved ||= Math.hypot(dx, dy) >= CLICK_PX;
      if (drag.moved) drag.to(dx, dy, event);
    }
    const place = panel.placeOf(event);
    const { rows, columns } = { rows: this.volume.rows(panel.plane), columns: this.volume.columns(panel.plane) };
    const inside = place.row >= 0 && place.column >= 0 && place.row < rows && place.column < columns;
    this.pointAt(inside ? { panel, place } : null);
  }

  release(panel, event) {
    const { drag } = this;
    this.drag = null;
    this.touches?.delete(event.pointerId);
    if (drag && !drag.moved && event.type === "pointerup" && event.button === 0 && !event.shiftKey && !this.ruler) {
      this.setCursor(this.volume.voxel(panel.plane, panel.index, panel.placeOf(event)));
      this.setCrosshair(true);
    }
  }

  /** Across for the width, downwards for a higher level, and the wider the window is, the faster. */
  windowing() {
    const [low, high] = this.settings.get("window");
    const speed = Math.max((high - low) / 400, 0.25);
    return (dx, dy) => {
      const width = Math.round(clamp(high - low + dx * speed, 1, 8000));
      const level = clamp((low + high) / 2 + dy * speed, -2000, 4000);
      const black = Math.round(level - width / 2);
      this.settings.set({ window: [black, black + width] });
    };
  }

  panning(panel) {
    let [beforeX, beforeY] = [0, 0];
    return (dx, dy) => {
      this.panBy(panel, dx - beforeX, dy - beforeY);
      [beforeX, beforeY] = [dx, dy];
    };
  }

  measuring(panel, event) {
    const voxel = (pointer) => this.volume.voxel(panel.plane, panel.index, panel.placeOf(pointer));
    const from = voxel(event);
    return (dx, dy, pointer) => {
      this.ruler = { from, to: voxel(pointer) };
      this.refresh();
    };
  }

  /** One finger scrolls, two zoom and move. */
  moveFinger(panel, event) {
    const finger = this.touches.get(event.pointerId);
    const others = [...this.touches].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
    const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
    if (!others.length) {
      finger.way -= dy;
      const steps = Math.trunc(finger.way / TOUCH_PX);
      finger.way -= steps * TOUCH_PX;
      if (this.drag && Math.hypot(event.clientX - this.drag.x, event.clientY - this.drag.y) >= CLICK_PX) this.drag.moved = true;
      if (steps) this.step(steps);
    } else {
      const [other] = others;
      const apart = (x, y) => Math.hypot(x - other.x, y - other.y) || 1;
      const middle = { clientX: (event.clientX + other.x) / 2, clientY: (event.clientY + other.y) / 2 };
      this.zoomAbout(panel, panel.placeOf(middle), apart(event.clientX, event.clientY) / apart(finger.x, finger.y));
      this.panBy(panel, dx / 2, dy / 2);
    }
    Object.assign(finger, { x: event.clientX, y: event.clientY });
  }

  pointAt(pointer) {
    this.pointer = pointer;
    this.showReadout();
  }

  // -- Changes

  step(by) {
    this.go(this.index + by);
  }

  go(index) {
    const cursor = [...this.settings.get("cursor")];
    const target = clamp(index, 0, this.depth - 1);
    if (target !== cursor[this.plane]) this.direction = Math.sign(target - cursor[this.plane]);
    cursor[this.plane] = target;
    this.setCursor(cursor);
  }

  setCursor(voxel) {
    this.settings.set({ cursor: this.volume.inside(voxel) });
  }

  /** Moves the crosshair by voxels on the screen; the ruler in use ends there. */
  nudge(down, across) {
    const cursor = this.settings.get("cursor");
    const { row, column } = this.volume.place(this.plane, cursor);
    this.setCursor(this.volume.voxel(this.plane, this.index, { row: row + down, column: column + across }));
    if (this.ruler) this.ruler = { from: this.ruler.from, to: this.settings.get("cursor") };
    this.setCrosshair(true);
  }

  activate(panel) {
    if (panel.plane !== this.plane) this.settings.set({ plane: PLANES[panel.plane].name });
  }

  layOut(layout) {
    const before = this.settings.get("view_layout");
    this.settings.set({ view_layout: before === layout ? "single" : layout });
    if (layout === "planes" && before !== layout) this.setCrosshair(true);
  }

  setCrosshair(on) {
    this.settings.set({ crosshair: on });
  }

  toggle(layer) {
    const shown = this.layers.map((_, i) => i).filter((i) => this.isShown(i) !== (i === layer));
    this.settings.set({ shown: shown.map((i) => this.layers[i].name) });
  }

  toggleRuler() {
    const cursor = this.settings.get("cursor");
    this.ruler = this.ruler ? null : { from: cursor, to: cursor };
    this.refresh();
  }

  removeRuler() {
    this.ruler = null;
    this.refresh();
  }

  rulerText() {
    return `${this.volume.distanceMm(this.ruler.from, this.ruler.to).toFixed(1)} mm`;
  }

  reset() {
    this.settings.set({ window: this.openedWith, zoom: 1, middle: null });
  }

  /** Zoom about the pointer, or where that is elsewhere, about the crosshair. */
  zoomHere(factor) {
    const panel = this.pointer?.panel ?? this.mainPanel();
    this.zoomAbout(panel, this.pointer?.place ?? this.volume.place(panel.plane, this.settings.get("cursor")), factor);
  }

  /** What lies at `place` of a panel stays where it is, in the other panels what lies under the crosshair. */
  zoomAbout(panel, place, factor) {
    const before = this.settings.get("zoom");
    const zoom = Number(clamp(before * factor, 1, MOST_ZOOM).toFixed(3));
    const fixed = this.volume.voxel(panel.plane, panel.index, place);
    const middle = this.settings.get("middle") ?? this.volume.centre;
    this.setMiddle(fixed.map((at, axis) => at + (middle[axis] - at) * (before / zoom)), zoom);
  }

  panBy(panel, dx, dy) {
    const middle = this.volume.place(panel.plane, this.settings.get("middle") ?? this.volume.centre);
    const place = { row: middle.row - dy / panel.pixel.height, column: middle.column - dx / panel.pixel.width };
    const moved = this.volume.voxel(panel.plane, 0, place);
    moved[panel.plane] = (this.settings.get("middle") ?? this.volume.centre)[panel.plane];
    this.setMiddle(moved, this.settings.get("zoom"));
  }

  /** Nothing beyond the volume is in the part that is zoomed. */
  setMiddle(middle, zoom) {
    const kept = middle.map((at, axis) => {
      const half = this.volume.shape[axis] / zoom / 2;
      return clamp(at, half - 0.5, this.volume.shape[axis] - half - 0.5);
    });
    this.settings.set(zoom > 1.001 ? { zoom, middle: kept } : { zoom: 1, middle: null });
  }

  toLesion(direction, fate) {
    const lesions = this.lesionsOf(null).filter((lesion) => !fate || lesion.fate === fate);
    if (lesions.length) this.jump(nextLesion(lesions, this.plane, this.settings.get("cursor"), direction));
  }

  jump(lesion) {
    this.setCursor(lesion.voxel);
    if (this.settings.get("zoom") > 1) this.setMiddle(lesion.voxel, this.settings.get("zoom"));
    this.setCrosshair(true);
  }

  worst() {
    const facts = this.facts.planes?.[this.plane];
    const dice = facts?.dice[this.chosen - 1];
    return dice && worstSlice(dice, [facts.areas[0], facts.areas[this.chosen]]);
  }

  // -- Drawing

  mainPanel() {
    return this.panels.find(({ plane }) => plane === this.plane);
  }

  /** Asks for the slices of all panels, the one that is scrolled first, and draws what is there. */
  want() {
    const cursor = this.settings.get("cursor");
    const planes = [...new Set([this.plane, ...this.panels.map(({ plane }) => plane)])];
    this.source.want(this, planes.map((plane) => [plane, cursor[plane]]), this.direction);
    this.waitOrDraw();
  }

  waitOrDraw() {
    clearTimeout(this.slow);
    this.badge.textContent = "";
    if (this.panels.some((panel) => !this.source.get(panel.plane, panel.index))) {
      this.slow = setTimeout(() => (this.badge.textContent = "Waiting for the kernel…"), SLOW_MS);
    }
    this.refresh();
  }

  /** Called when slices have come. */
  arrived() {
    if (this.panels.some((panel) => panel.drawable !== panel.drawn)) this.waitOrDraw();
  }

  refresh() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.panels.every(({ drawable }) => drawable === null)) return;
      this.root.classList.add("lits-live");
      // Until now a picture stands here, and nothing has a size: see `still.py`.
      this.root.closest(".jp-OutputArea-child")?.classList.add("lits-live");
      for (const update of this.followers) update();
      for (const panel of this.panels) panel.draw();
      this.showReadout();
      this.facts.ask();
    });
  }

  /** The voxel under the mouse, or else under the crosshair. */
  showReadout() {
    const { voxel, world, hu, labels, ruler } = this.readout;
    ruler.textContent = this.ruler ? `Ruler ${this.rulerText()}` : "";
    const panel = this.pointer?.panel ?? (this.crosshair ? this.mainPanel() : null);
    const slice = panel?.slice;
    if (!slice) {
      voxel.textContent = "Wheel or arrow keys: slice  ·  drag: window and level  ·  ?: all keys";
      for (const part of [world, hu, ...labels]) part.textContent = "";
      return;
    }
    const place = this.pointer?.place ?? this.volume.place(panel.plane, this.settings.get("cursor"));
    const [row, column] = [Math.floor(place.row), Math.floor(place.column)];
    const at = row * this.volume.columns(panel.plane) + column;
    const [z, y, x] = this.volume.inside(this.volume.voxel(panel.plane, panel.drawn, { row: row + 0.5, column: column + 0.5 }));
    voxel.textContent = `z ${z}  y ${y}  x ${x}`;
    world.textContent = this.volume.worldText([z, y, x]);
    hu.textContent = `${typographic(slice.hu[at])} HU`;
    labels.forEach((part, layer) => {
      const label = ["background", "liver", "tumour"][labelOf(slice.labels[at], layer)];
      const heat = this.settings.get("probabilities").indexOf(this.layers[layer].name);
      const probability = heat < 0 ? "" : `, p ${((slice.heats[heat]?.[at] ?? 0) / 255).toFixed(2)}`;
      part.textContent = `${this.layers[layer].name}: ${label}${probability}`;
    });
  }

  // -- Saving

  savePicture() {
    const ratio = window.devicePixelRatio;
    const stage = this.stage.getBoundingClientRect();
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight].map((side) => Math.round(side * ratio));
    const canvas = element("canvas", { width, height });
    const context = canvas.getContext("2d");
    context.fillRect(0, 0, width, height);
    for (const panel of this.panels) {
      const box = panel.node.getBoundingClientRect();
      panel.copyTo(context, Math.round((box.left - stage.left) * ratio), Math.round((box.top - stage.top) * ratio));
    }
    canvas.toBlob((blob) => {
      const url = URL.createObjectURL(blob);
      download(url, `${this.fileName()}.png`);
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    });
  }

  fileName() {
    return `${this.model.get("name")}_${this.settings.get("plane")}_${this.index}`;
  }

  /** Python draws what it knows to be on the screen: tell it first. */
  askForFigure() {
    this.asking = true;
    this.model.save_changes();
    this.model.send({ kind: "figure" });
    this.fillDialog(element("p", { role: "status" }, "Python draws the figure…"));
    this.dialog.showModal();
  }

  showFigure({ code, error }, [png]) {
    this.asking = false;
    if (error) {
      this.fillDialog(element("p", {}, error));
      return;
    }
    const url = URL.createObjectURL(new Blob([copyOf(png)], { type: "image/png" }));
    const name = `${this.fileName()}_figure.png`;
    const text = element("code", {}, code);
    const copy = element("button", { type: "button", onclick: () => copyText(text).then(() => (copy.textContent = "Copied")) }, "Copy code");
    this.fillDialog(
      element("img", { src: url, alt: "The figure" }),
      element("pre", {}, text),
      copy,
      element("button", { type: "button", onclick: () => download(url, name) }, "Download PNG"),
    );
    this.dialog.addEventListener("close", () => URL.revokeObjectURL(url), { once: true });
  }

  fillDialog(...content) {
    const close = element("button", { type: "button", onclick: () => this.dialog.close() }, "Close");
    this.dialog.replaceChildren(element("header", {}, element("h2", {}, "Figure"), close), ...content);
    this.dialog.onkeydown = (event) => event.stopPropagation();
    this.guarded(this.dialog);
  }

  dispose() {
    for (const [event, listener] of Object.entries(this.followed)) this.model.off(event, listener);
    this.resizing.disconnect();
    this.source.forget(this);
    this.facts.waiting.delete(this.tell);
    clearTimeout(this.slow);
    cancelAnimationFrame(this.frame);
  }
}

export default () => {
  let parts;
  return {
    initialize({ model }) {
      const volume = new Volume(model);
      parts = {
        settings: new Settings(model), volume, source: new SliceSource(model, volume), facts: new Facts(model, volume),
      };
    },
    render({ model, el }) {
      const view = new BrowserView(model, parts, el);
      return () => view.dispose();
    },
  };
};
