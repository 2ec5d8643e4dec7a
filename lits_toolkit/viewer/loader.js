// Asks the kernel for the widget's module, and hands over to it. As a widget's own source the module would be kept, all
// of it, in every saved notebook; and without a kernel there are no pixels that it could show.

export default () => {
  let widget;
  return {
    async initialize(context) {
      const { model } = context;
      const source = await new Promise((resolve) => {
        model.on("msg:custom", (content, [source]) => content.kind === "module" && resolve(source));
        model.send({ kind: "module" });
      });
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      widget = (await import(url)).default();
      URL.revokeObjectURL(url);
      await widget.initialize(context);
    },
    render: (context) => widget.render(context),
  };
};
