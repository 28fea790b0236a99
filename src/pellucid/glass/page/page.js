"use strict";
// The page: a document (the seven views of one connection) in, elements out. Used by the file that stands
// alone, by the server's status page, and by the live page, which shows a document again as it grows.

const Page = (() => {
  const TABS = [["steps", "Nine steps"], ["bytes", "Bytes"], ["keys", "Keys"], ["reasons", "Reasons"], ["trust", "Trust"], ["wire", "Eavesdropper"]];
  const state = { doc: null, tab: "steps", selected: null, byHand: false, seen: new Set() };
  const panels = new Map();
  let root = null;

  const context = {
    get selected() { return state.selected; },
    isNew: (id) => !state.seen.has(id),
    select: (id) => {
      choose(id);
      state.byHand = true;
      show("bytes");
      if (matchMedia("(max-width: 62rem)").matches) root.querySelector(".views").scrollIntoView(); // it is far below
    },
  };

  // -- pieces -------------------------------------------------------------------------------------------

  const heading = (doc, running) =>
    h("header", { class: "about" },
      h("h1", {}, doc.title || doc.ladder.title),
      !running && doc.title && doc.title !== doc.ladder.title ? h("p", { class: "sub" }, doc.ladder.title) : null,
      doc.lead ? h("p", { class: "sub" }, doc.lead) : null,
      h("dl", { class: "summary" }, doc.ladder.summary.map((entry) => h("div", {}, h("dt", {}, entry.label), h("dd", {}, shown(entry.value))))));

  const message = (id) => state.doc.bytes.messages.find((one) => one.id === id);

  const content = (tab, doc) => {
    if (tab !== "bytes") return Panels[tab](doc[tab], context);
    const chosen = state.selected && message(state.selected);
    if (chosen) return Bytes.render(chosen);
    return h("p", { class: "lead" }, doc.bytes.messages.length ? "Choose a message on the ladder." : "Nothing was sent yet.");
  };

  // A panel is drawn when it is looked at, and again only if what it shows has changed.
  const draw = (tab) => {
    const panel = panels.get(tab);
    const key = JSON.stringify(tab === "bytes" ? (state.selected && message(state.selected)) || "" : state.doc[tab]);
    if (panel.key === key) return;
    panel.key = key;
    panel.body.replaceChildren(content(tab, state.doc));
  };

  const show = (tab) => {
    state.tab = tab;
    for (const [name, panel] of panels) {
      panel.button.setAttribute("aria-selected", String(name === tab));
      panel.button.tabIndex = name === tab ? 0 : -1;
      panel.body.hidden = name !== tab;
    }
    draw(tab);
  };

  const choose = (id) => {
    state.selected = id;
    for (const button of root.querySelectorAll(".ladder [data-id]"))
      button.setAttribute("aria-pressed", String(button.dataset.id === id));
    if (state.tab === "bytes") draw("bytes");
  };

  const tabs = () => {
    const list = h("div", { role: "tablist", class: "tabs", "aria-label": "Views" });
    const bodies = TABS.map(([name, title]) => {
      const button = h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, onclick: () => show(name) }, title);
      const body = h("div", { role: "tabpanel", id: `panel-${name}`, class: "panel", "aria-labelledby": `tab-${name}`, tabindex: 0, hidden: true });
      panels.set(name, { button, body, key: null });
      list.append(button);
      return body;
    });
    list.addEventListener("keydown", (event) => {
      const here = TABS.findIndex(([name]) => name === state.tab);
      const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: TABS.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      show(TABS[(to + TABS.length) % TABS.length][0]);
      panels.get(state.tab).button.focus();
    });
    return h("section", { class: "views", "aria-label": "Views" }, list, bodies);
  };

  const frame = () => {
    panels.clear();
    return [h("div", { id: "about" }), h("div", { id: "failure" }), h("div", { class: "columns" }, h("div", { id: "rungs" }), tabs())];
  };

  // What is newest comes into sight: the last rung, and the last step.
  const toTheEnd = () => {
    const rung = root.querySelector(".ladder li:last-child");
    if (rung) rung.scrollIntoView({ block: "nearest" });
    if (state.tab === "steps") panels.get("steps").body.scrollTop = 1e6;
  };

  // -- what others call -----------------------------------------------------------------------------------

  // Show a document. `fresh`: it is another connection than the one before.
  // `follow`: go along with what is new; `running`: more will come; `slow`: at a human pace.
  const render = (doc, { fresh = true, follow = false, running = false, slow = false } = {}) => {
    root = document.getElementById("page");
    if (fresh || !state.doc) {
      root.replaceChildren(...frame());
      Object.assign(state, { selected: null, byHand: false, seen: new Set() });
    }
    state.doc = doc;
    if (!follow || fresh) doc.bytes.messages.forEach((one) => follow || state.seen.add(one.id));
    const last = doc.bytes.messages[doc.bytes.messages.length - 1];
    if (follow && !state.byHand && last) state.selected = last.id;
    const focus = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.id : null;
    root.querySelector("#about").replaceChildren(heading(doc, running));
    root.querySelector("#failure").replaceChildren(...(doc.ladder.failure ? [threeParts(doc.ladder.failure)] : []));
    root.querySelector("#rungs").replaceChildren(Ladder.render(doc.ladder, context));
    doc.bytes.messages.forEach((one) => state.seen.add(one.id));
    if (focus) {
      const again = root.querySelector(`[data-id="${CSS.escape(focus)}"]`);
      if (again) again.focus({ preventScroll: true });
    }
    if (!state.selected && doc.select) choose(doc.select);
    show(fresh && doc.tab ? doc.tab : state.tab);
    if (follow && running && slow && !state.byHand) toTheEnd();
  };

  // -- theme and paper --------------------------------------------------------------------------------------

  const theme = () => {
    const page = document.documentElement;
    try { page.dataset.theme = localStorage.getItem("pellucid-theme") || ""; } catch { /* a file may have no storage */ }
    const dark = () => page.dataset.theme === "dark" || (!page.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    const button = document.getElementById("theme");
    const say = () => { button.textContent = dark() ? "Light" : "Dark"; };
    button.addEventListener("click", () => {
      page.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("pellucid-theme", page.dataset.theme); } catch { /* as above */ }
      say();
    });
    say();
    document.getElementById("print").addEventListener("click", () => print());
  };

  // On paper every view is shown, and every message.
  addEventListener("beforeprint", () => {
    if (!state.doc) return;
    for (const [name] of TABS) draw(name);
    const panel = panels.get("bytes");
    panel.key = null;
    panel.body.replaceChildren(...state.doc.bytes.messages.map((one) => Bytes.render(one)));
  });
  addEventListener("afterprint", () => state.doc && draw("bytes"));

  // The page that stands alone: its documents are in it.
  const start = () => {
    theme();
    const held = document.getElementById("documents");
    if (!held) return;
    const documents = JSON.parse(held.textContent);
    const chooser = document.getElementById("chooser");
    if (documents.length > 1) {
      chooser.replaceChildren(...documents.map((doc, index) =>
        h("button", { type: "button", "aria-pressed": String(index === 0), onclick: (event) => {
          for (const each of chooser.children) each.setAttribute("aria-pressed", String(each === event.currentTarget));
          render(doc);
        } }, doc.title || doc.ladder.title)));
      chooser.hidden = false;
    }
    render(documents[0]);
  };

  return { render, start, state };
})();

document.addEventListener("DOMContentLoaded", Page.start);
