"use strict";
// The ladder: client on the left, server on the right, time downwards; a message is a button.

const Ladder = (() => {
  const arrowRow = (arrow, context, number) => {
    const how = arrow.sealed ? "encrypted" : "in clear";
    const count = arrow.count > 1 ? `${arrow.count} records, ` : "";
    const classes = ["row", "arrow", `from-${arrow.sender}`, arrow.bad ? "bad" : arrow.sealed ? "sealed" : "clear"];
    if (context.isNew(arrow.id)) classes.push("new");
    return h("li", { class: classes.join(" ") },
      h("span", { class: "number" }, number ? h("span", { class: "sr" }, "step ") : null, number || ""),
      h("button", { type: "button", class: "lane", "data-id": arrow.id, "aria-pressed": String(context.selected === arrow.id),
          onclick: () => context.select(arrow.id) },
        h("span", { class: "top" },
          h("span", { class: "name" }, h("span", { class: "sr" }, `${arrow.sender}: `), arrow.name),
          h("span", { class: "meta" }, `${count}${bytesText(arrow.size)}, ${how}`)),
        h("span", { class: "shaft", "aria-hidden": "true" }),
        arrow.gist ? h("span", { class: "gist" }, arrow.gist) : null));
  };

  const momentRow = (moment) => {
    const sign = { keys: "◆", check: moment.good === false ? "✗" : moment.good ? "✓" : "–", state: "●", error: "✗" }[moment.what] || "·";
    const kind = moment.good === false ? "bad" : moment.good ? "good" : "quiet";
    return h("li", { class: `row moment by-${moment.who} ${kind}` },
      h("span", { class: "number" }),
      h("div", { class: "lane" }, h("span", { class: "pill" }, h("span", { "aria-hidden": "true" }, `${sign} `),
        h("span", { class: "sr" }, `${moment.who}: `), moment.text)));
  };

  // The rows of a ladder view. `context`: selected, select(id), isNew(id).
  const render = (view, context) => {
    let last = 0;
    const rows = view.items.map((item) => {
      if (!("id" in item)) return momentRow(item);
      const dummy = item.kind === "ccs" && item.step === 2; // TLS 1.3's, for old middleboxes only: no step of anything
      const number = item.step && item.step !== last && !item.bad && !dummy ? item.step : "";
      last = (!dummy && item.step) || last;
      return arrowRow(item, context, number);
    });
    return h("section", { class: "ladder", id: "ladder", "aria-label": "Messages" },
      h("div", { class: "heads" }, h("span", { class: "client" }, "Client"), h("span", { class: "wire" }, "the wire"),
        h("span", { class: "server", title: view.server }, h("span", {}, "Server"), view.server && view.server !== "server" ? h("small", {}, view.server) : null)),
      h("ol", {}, rows));
  };

  return { render };
})();
