// The per-volume Dice plot: SVG, drawn anew when its data or its width changes.

const HEIGHT = 210;
const MARGIN = { top: 22, right: 14, bottom: 44, left: 42 };
const SHAPES = [
  (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`, // disc
  (r) => `M${-r},${-r}h${2 * r}v${2 * r}h${-2 * r}Z`, // square
  (r) => `M0,${-1.25 * r}L${1.2 * r},${r}H${-1.2 * r}Z`, // triangle
  (r) => `M0,${-1.35 * r}L${1.35 * r},0L0,${1.35 * r}L${-1.35 * r},0Z`, // diamond
];
const RADIUS = 4.5;
const GROUP_RANGES = { small: "< 1 000 voxels", medium: "1 000–10 000", large: "> 10 000" };

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function html(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const shortName = (name) => name.replace(/^(test-)?volume-/, "$1");
const dice = (value) => (value === null ? "no score" : value.toFixed(2));
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

class CasePlotView {
  constructor(model, root) {
    this.model = model;
    this.at = null; // the case under the mouse or the keys, as { index, run }
    this.figure = svg("svg", {
      class: "lits-case-figure",
      height: HEIGHT,
      tabindex: "0",
      role: "application",
      "aria-label":
        "Tumour Dice per case, from small to large tumours. Left and right arrow: case; up and down: run; Enter opens.",
    });
    this.legend = html("div", { class: "lits-case-legend" });
    this.status = html("div", { class: "lits-case-status", role: "status" });
    root.classList.add("lits-case-plot");
    root.dataset.lmSuppressShortcuts = "true"; // Enter and the arrows are ours, not the notebook's
    root.append(this.legend, this.figure, this.status);

    this.figure.addEventListener("pointermove", (event) => this.pointAt(this.nearest(event)));
    this.figure.addEventListener("pointerleave", () => this.pointAt(this.hasFocus() ? this.at : null));
    this.figure.addEventListener("click", (event) => this.open(this.nearest(event)));
    this.figure.addEventListener("focus", () => this.pointAt(this.at ?? this.start()));
    this.figure.addEventListener("blur", () => this.pointAt(null));
    this.figure.addEventListener("keydown", (event) => this.key(event));
    this.draw = () => this.drawAll();
    this.events = ["change:cases", "change:runs", "change:chosen", "change:note"];
    this.events.forEach((event) => model.on(event, this.draw));
    this.resizing = new ResizeObserver(this.draw);
    this.resizing.observe(root);
    this.root = root;
    this.drawAll();
  }

  hasFocus() {
    return this.figure.matches(":focus");
  }

  start() {
    const index = Math.max(0, this.cases.findIndex(({ name }) => name === this.model.get("chosen")));
    return this.cases.length ? { index, run: this.withScore(index)[0] ?? 0 } : null;
  }

  withScore(index) {
    return this.runs.map((_, run) => run).filter((run) => this.runs[run].dice[index] !== null);
  }

  drawAll() {
    this.cases = this.model.get("cases");
    this.runs = this.model.get("runs");
    if (this.at && (this.at.index >= this.cases.length || this.at.run >= this.runs.length)) this.at = null;
    const width = Math.max(260, this.root.clientWidth);
    this.column = (width - MARGIN.left - MARGIN.right) / Math.max(1, this.cases.length);
    this.figure.setAttribute("width", width);
    this.figure.replaceChildren(...this.bands(), ...this.axes(width), ...this.highlights(), ...this.marks());
    this.legend.replaceChildren(html("span", { class: "lits-case-title" }, "Tumour Dice per case"), ...this.keys());
    this.figure.dataset.cases = this.cases.length;
    this.tell();
  }

  x(index) {
    return MARGIN.left + (index + 0.5) * this.column;
  }

  y(value) {
    return HEIGHT - MARGIN.bottom - value * (HEIGHT - MARGIN.top - MARGIN.bottom);
  }

  /** The stretch of each size group, named where there is room. */
  bands() {
    const names = [...new Set(this.cases.map(({ group }) => group))];
    return names.flatMap((group, number) => {
      const first = this.cases.findIndex((item) => item.group === group);
      const count = this.cases.filter((item) => item.group === group).length;
      const [left, width] = [MARGIN.left + first * this.column, count * this.column];
      const texts = [`${group}: ${GROUP_RANGES[group]}`, group, ""];
      const text = texts.find((words) => words.length * 6.2 < width - 6);
      return [
        svg("rect", {
          class: number % 2 ? "lits-case-band" : "lits-case-band lits-case-odd",
          x: left, y: MARGIN.top, width, height: this.y(0) - MARGIN.top,
        }),
        svg("text", { class: "lits-case-group", x: left + width / 2, y: MARGIN.top - 7, "text-anchor": "middle" }, text),
      ];
    });
  }

  axes(width) {
    const lines = [0, 0.25, 0.5, 0.75, 1].flatMap((value) => [
      svg("line", { class: "lits-case-grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: this.y(value), y2: this.y(value) }),
      svg("text", { class: "lits-case-tick", x: MARGIN.left - 7, y: this.y(value) + 4, "text-anchor": "end" }, value),
    ]);
    const names = this.cases.map(({ name }) => shortName(name));
    const longest = Math.max(1, ...names.map((name) => name.length)) * 7 + 6;
    const every = Math.ceil(longest / this.column);
    const chosen = this.cases.findIndex(({ name }) => name === this.model.get("chosen"));
    const named = (index) => index % every === 0 && (chosen < 0 || Math.abs(index - chosen) * this.column >= longest);
    const ticks = names.flatMap((name, index) =>
      index === chosen || named(index)
        ? [svg("text", { class: "lits-case-tick", x: this.x(index), y: this.y(0) + 16, "text-anchor": "middle" }, name)]
        : [],
    );
    const middle = (MARGIN.left + width - MARGIN.right) / 2;
    const words = "case, from small to large tumours (mean size)";
    return [...lines, ...ticks, svg("text", { class: "lits-case-axis", x: middle, y: HEIGHT - 8, "text-anchor": "middle" }, words)];
  }

  highlights() {
    const column = (index, name) =>
      svg("rect", {
        class: name, x: MARGIN.left + index * this.column, y: MARGIN.top - 2, width: this.column,
        height: this.y(0) - MARGIN.top + 24, rx: 3,
      });
    const chosen = this.cases.findIndex(({ name }) => name === this.model.get("chosen"));
    const parts = chosen < 0 ? [] : [column(chosen, "lits-case-chosen")];
    return this.at ? [...parts, column(this.at.index, "lits-case-pointed")] : parts;
  }

  /** Where a run's mark of a case is: runs stand beside each other where there is room. */
  place(index, run) {
    const apart = Math.min(12, this.column / (this.runs.length + 1));
    return [this.x(index) + (run - (this.runs.length - 1) / 2) * apart, this.y(this.runs[run].dice[index])];
  }

  marks() {
    const radius = Math.max(2.5, Math.min(RADIUS, this.column / 2.5));
    return this.runs.flatMap((run, number) =>
      run.dice.flatMap((value, index) => {
        if (value === null) return [];
        const [x, y] = this.place(index, number);
        const pointed = this.at && this.at.index === index && this.at.run === number;
        return [
          svg("path", {
            class: pointed ? "lits-case-mark lits-case-pointed-mark" : "lits-case-mark",
            d: SHAPES[number % SHAPES.length](pointed ? radius + 2 : radius),
            transform: `translate(${x},${y})`, fill: run.color, "data-case": this.cases[index].name, "data-run": run.name,
          }),
        ];
      }),
    );
  }

  keys() {
    return this.runs.map((run, number) => {
      const known = run.dice.filter((value) => value !== null);
      const words = known.length ? `${run.name}, mean ${mean(known).toFixed(3)}` : `${run.name}: no scores`;
      const mark = svg("path", { class: "lits-case-mark", d: SHAPES[number % SHAPES.length](RADIUS), fill: run.color });
      return html(
        "span", { class: "lits-case-key" },
        svg("svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" }, mark), words,
      );
    });
  }

  /** The case under the mouse, and the run whose mark lies nearest. */
  nearest(event) {
    const box = this.figure.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const index = Math.floor((x - MARGIN.left) / this.column);
    if (index < 0 || index >= this.cases.length) return null;
    const distance = (run) => Math.hypot(...this.place(index, run).map((value, axis) => value - [x, y][axis]));
    const run = this.withScore(index).sort((one, other) => distance(one) - distance(other))[0];
    return run === undefined ? null : { index, run };
  }

  pointAt(at) {
    if (at?.index === this.at?.index && at?.run === this.at?.run) return;
    this.at = at;
    this.drawAll();
  }

  tell() {
    const words = this.model.get("note") ? `${this.model.get("note")}  ·  ` : "";
    if (!this.at) {
      const hint = this.cases.length ? "Click a mark, or Enter on it: that case opens at that run's worst slice" : "No run that is picked has scores";
      this.status.textContent = words + hint;
      return;
    }
    const { name, voxels, group } = this.cases[this.at.index];
    const scores = this.runs.map((run) => `${run.name} ${dice(run.dice[this.at.index])}`).join(", ");
    const size = Math.round(voxels).toString().replace(/\B(?=(\d{3})+$)/g, " ");
    this.status.textContent = `${name}, mean tumour ${size} voxels (${group}): ${scores}`;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.cases.length) return;
    const { index, run } = this.at ?? this.start();
    const runs = this.withScore(index);
    const step = (by) => runs[Math.min(Math.max(runs.indexOf(run) + by, 0), runs.length - 1)] ?? run;
    const go = (to) => {
      const next = Math.min(Math.max(to, 0), this.cases.length - 1);
      return { index: next, run: this.withScore(next).includes(run) ? run : this.withScore(next)[0] ?? 0 };
    };
    const target = {
      ArrowLeft: () => go(index - 1), ArrowRight: () => go(index + 1), Home: () => go(0), End: () => go(this.cases.length - 1),
      ArrowUp: () => ({ index, run: step(-1) }), ArrowDown: () => ({ index, run: step(1) }),
    }[event.key];
    if (target) this.pointAt(target());
    else if (event.key === "Enter" || event.key === " ") this.open({ index, run });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  open(at) {
    if (!at || this.runs[at.run].dice[at.index] === null) return;
    this.model.send({ kind: "open", case: this.cases[at.index].name, run: this.runs[at.run].name });
  }

  dispose() {
    this.events.forEach((event) => this.model.off(event, this.draw));
    this.resizing.disconnect();
  }
}

export default {
  render({ model, el }) {
    const view = new CasePlotView(model, el);
    return () => view.dispose();
  },
};
