// Asks the kernel for the widget's module, and hands over to it. As a widget's own source the module would be kept, all
// of it, in every saved notebook; and without a kernel there are no pixels that it could show.

async function load(context) {
  const { model } = context;
  const source = await new Promise((resolve) => {
    model.on("msg:custom", (content, [source]) => content.kind === "module" && resolve(source));
    model.send({ kind: "module" });
  });
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const widget = (await import(url)).default();
  URL.revokeObjectURL(url);
  widget.initialize(context);
  return widget;
}

export default () => {
  let loading;
  return {
    // Not awaited here: a model hears no message before it is initialised.
    initialize(context) {
      loading = load(context);
    },
    async render(context) {
      const widget = await loading;
      return widget.render(context);
    },
  };
};
