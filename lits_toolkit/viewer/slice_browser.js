// The slice browser's view. Pixels come from the kernel as binary messages and are windowed, blended and outlined here,
// so that only a slice that is not in the cache needs the kernel. `blend.py` is the twin of `fillTable` and `blend`.

const CACHE_BYTES = 128 * 2 ** 20;
const REQUESTS_IN_FLIGHT = 2;
const SLICES_PER_PREFETCH = 4;
const PREFETCH_AHEAD = 8;
const PREFETCH_BEHIND = 2;
const SLOW_MS = 1000;
const LIVER = 1;
const TUMOR = 2;


/** The slices of one model: asks for what its views want, neighbours too, and keeps the most recently used. */
class SliceSource {
  constructor(model) {
    this.model = model;
    [this.depth, this.rows, this.columns] = model.get("shape");
    this.masks = model.get("layers").length;
    this.kept = new Map(); // the least recently used first
    this.pending = new Set();
    this.requests = 0;
    this.wants = new Map(); // view → where it is and which way it goes
    const bytesPerSlice = this.rows * this.columns * 3;
    this.mostKept = Math.max(2 * (PREFETCH_AHEAD + PREFETCH_BEHIND), Math.floor(CACHE_BYTES / bytesPerSlice));
    model.on("msg:custom", (content, buffers) => {
      if (content.kind === "slices") this.receive(content.indices, buffers);
    });
  }

  get(index) {
    const slice = this.kept.get(index);
    if (slice) {
      this.kept.delete(index);
      this.kept.set(index, slice);
    }
    return slice;
  }

  want(view, index, direction) {
    this.wants.set(view, { index, direction });
    this.ask();
  }

  forget(view) {
    this.wants.delete(view);
  }

  ask() {
    for (const { index } of this.wants.values()) {
      if (this.requests < REQUESTS_IN_FLIGHT && this.lacks(index)) this.send([index]);
    }
    // One request is kept free for where a view goes next.
    if (this.requests > 0) return;
    const neighbours = [...this.wants.values()].flatMap((want) => this.neighbours(want));
    if (neighbours.length) this.send(neighbours.slice(0, SLICES_PER_PREFETCH));
  }

  neighbours({ index, direction }) {
    const ahead = Array.from({ length: PREFETCH_AHEAD }, (_, i) => index + direction * (i + 1));
    const behind = Array.from({ length: PREFETCH_BEHIND }, (_, i) => index - direction * (i + 1));
    return [...ahead, ...behind].filter((i) => i >= 0 && i < this.depth && this.lacks(i));
  }

  lacks(index) {
    return !this.kept.has(index) && !this.pending.has(index);
  }

  send(indices) {
    this.requests += 1;
    indices.forEach((index) => this.pending.add(index));
    this.model.send({ kind: "slices", indices });
  }

  receive(indices, buffers) {
    this.requests = Math.max(0, this.requests - 1);
    const each = 1 + this.masks;
    indices.forEach((index, i) => {
      this.pending.delete(index);
      this.kept.delete(index);
      this.kept.set(index, this.unpack(buffers.slice(i * each, (i + 1) * each)));
    });
    while (this.kept.size > this.mostKept) this.kept.delete(this.kept.keys().next().value);
    for (const view of this.wants.keys()) view.arrived();
    this.ask();
  }

  /** HU, and the labels of all masks as the digits of one number per voxel, to the base of 3. */
  unpack([hu, ...masks]) {
    // A copy, since a message's buffers need not be aligned to two bytes.
    const values = new Int16Array(hu.buffer.slice(hu.byteOffset, hu.byteOffset + hu.byteLength));
    const labels = new Uint8Array(values.length);
    masks.forEach((packed, layer) => {
      if (!packed.byteLength) return;
      const place = 3 ** layer;
      for (let i = 0; i < labels.length; i++) {
        labels[i] += place * ((packed.getUint8(i >> 2) >> (2 * (i & 3))) & 3);
      }
    });
    return { hu: values, labels, outlines: null };
  }
}

function labelOf(labels, layer) {
  return Math.floor(labels / 3 ** layer) % 3;
}

function rgb(color) {
  return [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
}

/** For each combination of labels four numbers: the share of the CT that stays, and the colour that is added. */
function fillTable(layers, shown, opacity, liverShare) {
  const rows = Array.from({ length: 3 ** layers.length }, (_, labels) => {
    let keep = 1;
    let add = [0, 0, 0];
    layers.forEach((layer, i) => {
      const label = shown[i] ? labelOf(labels, i) : 0;
      if (!label) return;
      const alpha = label === TUMOR ? opacity : opacity * liverShare;
      keep *= 1 - alpha;
      add = rgb(layer.color).map((value, channel) => add[channel] * (1 - alpha) + value * alpha);
    });
    return [keep, ...add];
  });
  return Float64Array.from(rows.flat());
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


function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const typographic = (number) => String(number).replace("-", "−");

class BrowserView {
  constructor(model, source, root) {
    this.model = model;
    this.source = source;
    this.layers = model.get("layers");
    this.spacing = model.get("spacing_mm");
    this.affine = model.get("affine");
    this.index = model.get("slice");
    this.direction = 1;
    this.window = model.get("window");
    this.openedWith = this.window;
    this.opacity = model.get("opacity");
    this.filled = model.get("filled");
    this.shown = this.layers.map(() => true);
    this.pointer = null; // the voxel under the mouse, as { x, y }
    this.drawn = null; // the index on the canvas
    this.wheel = 0;
    this.build(root);
    this.listen();
    this.showControls();
    this.want();
  }

  build(root) {
    const { depth, rows, columns } = this.source;
    this.canvas = element("canvas", { class: "lits-image", width: columns, height: rows });
    this.context = this.canvas.getContext("2d");
    this.image = this.context.createImageData(columns, rows);
    this.lines = element("canvas", { class: "lits-lines" });
    this.badge = element("div", { class: "lits-badge", role: "status" });
    const letter = (where, name, meaning) =>
      element("span", { class: `lits-letter lits-${where}`, title: meaning, "aria-hidden": "true" }, name);
    this.stage = element(
      "div",
      {
        class: "lits-stage",
        tabindex: "0",
        role: "application",
        "aria-label":
          `CT of ${this.model.get("name")}. Arrow keys change the slice, Page Up and Page Down by ten, ` +
          "Home and End to the first and last. Drag for window and level.",
      },
      this.canvas,
      this.lines,
      letter("top", "A", "anterior (front)"),
      letter("bottom", "P", "posterior (back)"),
      letter("left", "R", "the patient's right"),
      letter("right", "L", "the patient's left"),
      this.badge,
    );

    this.slider = element("input", { type: "range", min: 0, max: depth - 1, step: 1, "aria-label": "Slice" });
    this.number = element("input", { type: "number", min: 0, max: depth - 1, step: 1, "aria-label": "Slice number" });
    this.number.title = "Counted from 0, as in the array";

    root.append(this.heading(), this.toolbar(), this.stage, this.foot());
    root.classList.add("lits-browser");
    // Else JupyterLab takes the keys that are meant for the browser ("r" would make the cell raw, Enter would edit it).
    // Its shortcuts are for whatever has the focus, so the mark is needed on all that can have it.
    const focusable = root.querySelectorAll("[tabindex], input, button");
    for (const node of [root, ...focusable]) node.dataset.lmSuppressShortcuts = "true";
    this.root = root;
  }

  heading() {
    const { depth, rows, columns } = this.source;
    const [z, y, x] = this.spacing.map((mm) => mm.toFixed(2));
    this.toggles = this.layers.map((layer, i) =>
      element(
        "button",
        {
          class: "lits-toggle",
          type: "button",
          title: `Show or hide the ${layer.name.toLowerCase()} (${layer.key}): liver light, tumour strong`,
          "aria-keyshortcuts": layer.key,
          style: `--lits-layer: ${layer.color}`,
          onclick: () => this.toggle(i),
        },
        element("span", { class: "lits-swatch", "aria-hidden": "true" }),
        layer.name,
        element("kbd", { "aria-hidden": "true" }, layer.key.toUpperCase()),
      ),
    );
    return element(
      "div",
      { class: "lits-heading" },
      element("strong", { class: "lits-name" }, this.model.get("name")),
      element(
        "span",
        { class: "lits-size", title: "Voxels and their size along x, y, z" },
        `${columns} × ${rows} × ${depth}  ·  ${x} × ${y} × ${z} mm`,
      ),
      element("span", { class: "lits-toggles", role: "group", "aria-label": "Masks" }, ...this.toggles),
    );
  }

  toolbar() {
    this.presets = Object.entries(this.model.get("windows")).map(([name, [low, high]]) =>
      element(
        "button",
        {
          type: "button",
          title: `${typographic(low)} to ${typographic(high)} HU`,
          onclick: () => this.setWindow([low, high]),
        },
        capital(name),
      ),
    );
    const typed = () => {
      const level = this.level.valueAsNumber;
      const width = this.width.valueAsNumber;
      if (Number.isFinite(level) && width >= 1) this.setWindow([level - width / 2, level + width / 2]);
      else this.showControls();
    };
    const hu = (label) => element("input", { type: "number", step: 10, "aria-label": label, onchange: typed });
    this.level = hu("Level in HU");
    this.width = hu("Width in HU");
    this.width.min = 1;
    const bar = element(
      "div",
      { class: "lits-toolbar" },
      element("span", { class: "lits-segments", role: "group", "aria-label": "HU window" }, ...this.presets),
      element("label", {}, "Level", this.level),
      element("label", {}, "Width", this.width, element("span", { class: "lits-unit" }, "HU")),
    );
    if (!this.layers.length) return bar;

    const style = (text, filled, title) =>
      element("button", { type: "button", title, onclick: () => this.setFilled(filled) }, text);
    this.styles = [style("Filled", true, "Fill the masks"), style("Outline", false, "Outline the masks only")];
    this.opacityInput = element("input", {
      type: "range", min: 0, max: 100, step: 1, "aria-label": "Opacity of the masks", class: "lits-opacity",
      oninput: () => this.setOpacity(this.opacityInput.valueAsNumber / 100),
    });
    this.opacityText = element("output", { class: "lits-percent" });
    bar.append(
      element(
        "span",
        { class: "lits-overlay" },
        element("span", { class: "lits-segments", role: "group", "aria-label": "Masks drawn" }, ...this.styles),
        element("label", {}, "Opacity", this.opacityInput, this.opacityText),
      ),
    );
    return bar;
  }

  foot() {
    const part = (name) => element("span", { class: `lits-${name}` });
    this.readout = {
      voxel: part("voxel"),
      world: part("world"),
      hu: part("hu"),
      labels: this.layers.map((layer) => element("span", { class: "lits-label", style: `--lits-layer: ${layer.color}` })),
    };
    const { voxel, world, hu, labels } = this.readout;
    return element(
      "div",
      { class: "lits-foot" },
      element(
        "div",
        { class: "lits-scroll" },
        element("label", {}, "Slice", this.number),
        element("span", { class: "lits-of" }, `of 0–${this.source.depth - 1}`),
        this.slider,
      ),
      element("div", { class: "lits-readout" }, voxel, world, hu, ...labels),
    );
  }

  listen() {
    const { model, stage } = this;
    this.followed = {
      "change:slice": () => this.go(model.get("slice")),
      "change:window": () => this.setWindow(model.get("window")),
      "change:opacity": () => this.setOpacity(model.get("opacity")),
      "change:filled": () => this.setFilled(model.get("filled")),
    };
    for (const [event, follow] of Object.entries(this.followed)) model.on(event, follow);

    this.slider.addEventListener("input", () => this.go(this.slider.valueAsNumber));
    this.number.addEventListener("change", () => {
      const typed = Math.round(this.number.valueAsNumber);
      this.go(Number.isFinite(typed) ? typed : this.index);
      this.showControls();
    });
    this.root.addEventListener("keydown", (event) => this.key(event));
    stage.addEventListener("wheel", (event) => this.scroll(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => (this.drag = null));
    stage.addEventListener("pointerleave", () => this.pointAt(null));
    stage.addEventListener("dblclick", () => this.setWindow(this.openedWith));
    this.resizing = new ResizeObserver(() => this.fit());
    this.resizing.observe(stage);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // JupyterLab keeps Enter from ending the typing of a number.
    if (event.key === "Enter" && event.target.type === "number") event.target.dispatchEvent(new Event("change"));
    const layer = this.layers.findIndex(({ key }) => key === event.key.toLowerCase());
    if (layer >= 0 && event.target.type !== "number") this.toggle(layer);
    else if (event.target === this.stage && this.travel(event.key)) event.preventDefault();
  }

  travel(key) {
    const last = this.source.depth - 1;
    const target = {
      ArrowRight: this.index + 1, ArrowUp: this.index + 1, ArrowLeft: this.index - 1, ArrowDown: this.index - 1,
      PageUp: this.index + 10, PageDown: this.index - 10, Home: 0, End: last,
    }[key];
    if (target === undefined) return false;
    this.go(target);
    return true;
  }

  /** Wheel up is towards the head. A notch is one slice; a touch pad's many small steps are added up. */
  scroll(event) {
    if (event.ctrlKey || event.metaKey || !event.deltaY) return;
    event.preventDefault();
    const notch = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 50 : 1;
    this.wheel += clamp(event.deltaY / notch, -1, 1);
    const steps = Math.trunc(this.wheel);
    this.wheel -= steps;
    if (steps) this.go(this.index - steps);
  }

  press(event) {
    if (event.button !== 0) return;
    this.stage.setPointerCapture(event.pointerId);
    const [low, high] = this.window;
    this.drag = { x: event.clientX, y: event.clientY, level: (low + high) / 2, width: high - low };
  }

  move(event) {
    if (this.drag) {
      // Across for the width, downwards for a higher level, and the wider the window is, the faster.
      const speed = Math.max(this.drag.width / 400, 0.25);
      const width = clamp(this.drag.width + (event.clientX - this.drag.x) * speed, 1, 8000);
      const level = clamp(this.drag.level + (event.clientY - this.drag.y) * speed, -2000, 4000);
      this.setWindow([Math.round(level - width / 2), Math.round(level - width / 2) + Math.round(width)]);
    }
    const box = this.canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * this.source.columns);
    const y = Math.floor(((event.clientY - box.top) / box.height) * this.source.rows);
    const inside = x >= 0 && y >= 0 && x < this.source.columns && y < this.source.rows;
    this.pointAt(inside ? { x, y } : null);
  }

  pointAt(pointer) {
    this.pointer = pointer;
    this.showReadout();
  }

  go(index) {
    const target = clamp(index, 0, this.source.depth - 1);
    if (target === this.index) return;
    this.direction = Math.sign(target - this.index);
    this.index = target;
    this.showControls();
    this.want();
    // Python learns where one has come to rest, not every slice on the way.
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      this.model.set("slice", this.index);
      this.model.save_changes();
    }, 200);
  }

  setWindow(window) {
    if (window[0] === this.window[0] && window[1] === this.window[1]) return;
    this.window = [...window];
    this.grays = null;
    this.showControls();
    this.redraw();
  }

  setOpacity(opacity) {
    this.opacity = opacity;
    this.showControls();
    this.redraw();
  }

  setFilled(filled) {
    this.filled = filled;
    this.showControls();
    this.redraw();
  }

  toggle(layer) {
    this.shown[layer] = !this.shown[layer];
    this.showControls();
    this.redraw();
  }

  want() {
    this.source.want(this, this.index, this.direction);
    clearTimeout(this.slow);
    this.badge.textContent = "";
    if (this.source.get(this.index)) this.redraw();
    else this.slow = setTimeout(() => (this.badge.textContent = "Waiting for the kernel…"), SLOW_MS);
  }

  arrived() {
    if (this.drawn === this.index || !this.source.get(this.index)) return;
    clearTimeout(this.slow);
    this.badge.textContent = "";
    this.redraw();
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  /** Draws the slice that is wanted, or, as long as it has not come, the one on the canvas anew. */
  draw() {
    const index = this.source.get(this.index) ? this.index : this.drawn;
    const slice = this.source.get(index);
    if (!slice) return;
    const table = fillTable(this.layers, this.shown, this.filled ? this.opacity : 0, this.model.get("liver_share"));
    this.grays ??= grayWords(this.window);
    blend(slice, this.window, this.grays, table, this.image.data);
    this.context.putImageData(this.image, 0, 0);
    this.drawn = index;
    this.drawLines(slice);
    this.showReadout();
    this.root.classList.add("lits-live");
    this.canvas.dataset.slice = index;
    this.canvas.dataset.draws = Number(this.canvas.dataset.draws ?? 0) + 1;
  }

  drawLines(slice) {
    const { rows, columns } = this.source;
    const context = this.lines.getContext("2d");
    context.clearRect(0, 0, this.lines.width, this.lines.height);
    slice.outlines ??= outlines(slice, this.layers.length, rows, columns);
    const toScreen = new DOMMatrix([this.lines.width / columns, 0, 0, this.lines.height / rows, 0, 0]);
    context.globalAlpha = Math.min(1, 2 * this.opacity);
    context.lineCap = "square";
    this.layers.forEach((layer, i) => {
      if (!this.shown[i]) return;
      context.strokeStyle = layer.color;
      // A lower layer's lines are wider, so that where two agree both are seen.
      const below = this.shown.slice(i + 1).filter(Boolean).length;
      for (const [label, width] of [[LIVER, 1], [TUMOR, 1.5]]) {
        const path = new Path2D();
        path.addPath(slice.outlines[i][label], toScreen);
        context.lineWidth = (width + below) * window.devicePixelRatio;
        context.stroke(path);
      }
    });
  }

  /** As large as the stage allows, in the proportions of the body. */
  fit() {
    const { rows, columns } = this.source;
    const [, dy, dx] = this.spacing;
    const scale = Math.min(this.stage.clientWidth / (columns * dx), this.stage.clientHeight / (rows * dy));
    if (!(scale > 0)) return;
    const [width, height] = [columns * dx * scale, rows * dy * scale].map(Math.round);
    for (const canvas of [this.canvas, this.lines]) {
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    this.lines.width = Math.round(width * window.devicePixelRatio);
    this.lines.height = Math.round(height * window.devicePixelRatio);
    this.redraw();
  }

  showControls() {
    const [low, high] = this.window;
    this.slider.value = this.index;
    this.slider.setAttribute("aria-valuetext", `slice ${this.index}`);
    if (document.activeElement !== this.number || this.number.valueAsNumber !== this.index) this.number.value = this.index;
    this.level.value = (low + high) / 2;
    this.width.value = high - low;
    const presets = Object.values(this.model.get("windows"));
    this.presets.forEach((button, i) => press(button, presets[i][0] === low && presets[i][1] === high));
    this.toggles.forEach((button, i) => press(button, this.shown[i]));
    if (!this.layers.length) return;
    this.styles.forEach((button, i) => press(button, (i === 0) === this.filled));
    this.opacityInput.value = Math.round(this.opacity * 100);
    this.opacityText.textContent = `${Math.round(this.opacity * 100)} %`;
  }

  showReadout() {
    const slice = this.source.kept.get(this.drawn);
    const { voxel, world, hu, labels } = this.readout;
    if (!this.pointer || !slice) {
      voxel.textContent = "Wheel or arrow keys: slice  ·  drag: window and level  ·  double click: window as opened";
      for (const part of [world, hu, ...labels]) part.textContent = "";
      return;
    }
    const { x, y } = this.pointer;
    const at = y * this.source.columns + x;
    voxel.textContent = `z ${this.drawn}  y ${y}  x ${x}`;
    world.textContent = this.worldText(x, y, this.drawn);
    hu.textContent = `${typographic(slice.hu[at])} HU`;
    labels.forEach((part, i) => {
      const label = ["background", "liver", "tumour"][labelOf(slice.labels[at], i)];
      part.textContent = `${this.layers[i].name}: ${label}`;
    });
  }

  /** Millimetres in the world of the file, each with the letter of its side. */
  worldText(...voxel) {
    const sides = ["RL", "AP", "SI"];
    const millimetres = sides.map((side, row) => {
      const [a, b, c, offset] = this.affine[row];
      const mm = a * voxel[0] + b * voxel[1] + c * voxel[2] + offset;
      return `${side[mm < 0 ? 1 : 0]} ${Math.abs(mm).toFixed(1)}`;
    });
    return `${millimetres.join("  ")} mm`;
  }

  dispose() {
    for (const [event, follow] of Object.entries(this.followed)) this.model.off(event, follow);
    this.resizing.disconnect();
    this.source.forget(this);
    clearTimeout(this.slow);
    clearTimeout(this.telling);
    cancelAnimationFrame(this.frame);
  }
}

function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

export default () => {
  let source;
  return {
    initialize({ model }) {
      source = new SliceSource(model);
    },
    render({ model, el }) {
      const view = new BrowserView(model, source, el);
      return () => view.dispose();
    },
  };
};
