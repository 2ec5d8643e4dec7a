// The largest errors of a run over all cases: a table whose rows are gone to by a click or Enter.

const FATES = { miss: "Misses", "false alarm": "False alarms", "worst slice": "Worst slices" };
const TITLES = {
  miss: "Tumours of the reference of which no voxel is predicted",
  "false alarm": "Predicted tumours that touch none of the reference",
  "worst slice": "Of each case the axial slice of the lowest tumour Dice; the first time, all masks are read for it",
};
const COLUMNS = [
  { name: "Case", text: ({ case: name }) => name },
  { name: "Error", text: ({ fate }) => fate },
  { name: "Lesion", title: "Its number in the slice browser", text: ({ lesion }) => lesion ?? "–" },
  { name: "ml", title: "Volume that is wrong there", text: ({ ml }) => (ml < 0.1 ? ml.toPrecision(1) : ml.toFixed(1)) },
  { name: "Dice", title: "Of the lesion, or of the tumour in the slice", text: ({ dice }) => (dice === null ? "–" : dice.toFixed(2)) },
  ...["z", "y", "x"].map((name, axis) => ({ name, text: ({ voxel }) => voxel[axis] })),
];

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  node.dataset.lmSuppressShortcuts = "true"; // Enter and the arrows are ours, not the notebook's
  return node;
}

class PlaceListView {
  constructor(model, root) {
    this.model = model;
    this.picked = new Set(["miss", "false alarm"]);
    this.current = 0; // the row that Tab leads to
    this.title = element("summary");
    this.buttons = Object.fromEntries(
      Object.entries(TITLES).map(([fate, title]) => [fate, element("button", { type: "button", title })]),
    );
    this.status = element("span", { class: "lits-place-status", role: "status" });
    this.body = element("tbody");
    const head = COLUMNS.map(({ name, title }) => element("th", { scope: "col", ...(title && { title }) }, name));
    this.rows = element(
      "div", { class: "lits-place-rows" },
      element("table", {}, element("thead", {}, element("tr", {}, ...head)), this.body),
    );
    root.classList.add("lits-place-list");
    root.append(
      element(
        "details", { open: "" }, this.title,
        element("div", { class: "lits-place-bar", role: "group", "aria-label": "Kinds of errors" }, ...Object.values(this.buttons), this.status),
        this.rows,
      ),
    );
    for (const [fate, button] of Object.entries(this.buttons)) button.addEventListener("click", () => this.pick(fate));
    this.body.addEventListener("click", ({ target }) => this.open(target.closest("tr")));
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("focusin", ({ target }) => this.makeCurrent(target.closest("tr")));
    this.draw = () => this.drawAll();
    this.follow = () => this.mark();
    this.events = { "change:places": this.draw, "change:counts": this.draw, "change:run": this.draw,
      "change:progress": this.follow, "change:note": this.follow, "change:at": this.follow };
    for (const [event, listener] of Object.entries(this.events)) model.on(event, listener);
    this.drawAll();
  }

  /** Places of the picked kinds, by their numbers in the model. */
  listed() {
    const places = this.model.get("places").map((place, index) => ({ place, index }));
    return places.filter(({ place }) => this.picked.has(place.fate)).slice(0, this.model.get("most"));
  }

  drawAll() {
    const focused = this.body.contains(document.activeElement);
    const colors = this.model.get("colors");
    const rows = this.listed().map(({ place, index }) => {
      const cells = COLUMNS.map(({ name, text }) => {
        const cell = element("td", {}, text(place));
        if (name === "Error") cell.prepend(element("span", { class: "lits-place-fate", style: `--lits-layer: ${colors[place.fate] ?? "transparent"}` }));
        return cell;
      });
      const row = element("tr", { tabindex: "-1", title: `Open ${place.case} there` }, ...cells);
      row.dataset.place = index;
      return row;
    });
    this.body.replaceChildren(...rows);
    this.current = Math.min(this.current, Math.max(rows.length - 1, 0));
    if (rows.length) rows[this.current].tabIndex = 0;
    if (focused) rows[this.current]?.focus();
    this.mark();
  }

  /** What changes without another list. */
  mark() {
    const [counts, progress, run] = ["counts", "progress", "run"].map((name) => this.model.get(name));
    this.title.textContent = run ? `Where to look first: the largest errors of ${run}` : "Where to look first: pick a run";
    for (const [fate, button] of Object.entries(this.buttons)) {
      const searching = fate === "worst slice" && progress[1] > 0;
      const number = searching ? `${progress[0]} of ${progress[1]} …` : counts[fate] ?? "";
      button.textContent = `${FATES[fate]} ${number}`.trim();
      button.setAttribute("aria-pressed", this.picked.has(fate));
      button.disabled = !run || (fate !== "worst slice" && !(fate in counts));
    }
    const at = this.model.get("at");
    for (const row of this.body.rows) {
      if (Number(row.dataset.place) === at) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    this.rows.hidden = !this.body.rows.length;
    this.status.textContent = [this.words(), this.model.get("note")].filter(Boolean).join("  ·  ");
  }

  words() {
    const [counts, shown] = [this.model.get("counts"), this.body.rows.length];
    if (!this.model.get("run")) return "";
    if (!("miss" in counts) && !("worst slice" in counts)) return "not scored: lits evaluate finds misses and false alarms";
    const total = Object.entries(counts).reduce((sum, [fate, count]) => sum + (this.picked.has(fate) ? count : 0), 0);
    if (!total) return this.model.get("progress")[1] ? "" : "none";
    return shown < total ? `the ${shown} largest` : "the largest first";
  }

  pick(fate) {
    const waits = fate === "worst slice" && !(fate in this.model.get("counts"));
    if (waits) {
      this.picked.add(fate);
      this.model.send({ kind: "slices" });
    } else if (!this.picked.delete(fate)) {
      this.picked.add(fate);
    }
    this.drawAll();
  }

  makeCurrent(row) {
    const rows = [...this.body.rows];
    if (!row) return;
    if (rows[this.current]) rows[this.current].tabIndex = -1;
    this.current = rows.indexOf(row);
    row.tabIndex = 0;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = event.target.closest("tr");
    const target = {
      ArrowDown: row.nextElementSibling ?? row, ArrowUp: row.previousElementSibling ?? row,
      Home: this.body.firstElementChild, End: this.body.lastElementChild,
    }[event.key];
    if (target) target.focus();
    else if (event.key === "Enter" || event.key === " ") this.open(row);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  open(row) {
    if (!row) return;
    this.makeCurrent(row);
    this.model.send({ kind: "open", place: Number(row.dataset.place) });
  }

  dispose() {
    for (const [event, listener] of Object.entries(this.events)) this.model.off(event, listener);
  }
}

export default {
  render({ model, el }) {
    const view = new PlaceListView(model, el);
    return () => view.dispose();
  },
};
