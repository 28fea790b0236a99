"use strict";
// One message, byte by byte: hex above, its fields as a tree below. A byte lights up its field, a field
// its bytes, by mouse and by keyboard.

const Bytes = (() => {
  const WIDTH = 16;
  const TINTS = 6;

  // The tree as a list, each field with its parent and depth, and the deepest field of every byte.
  const flatten = (root, size) => {
    const list = [];
    const owner = new Array(size).fill(0);
    const walk = (field, parent, depth, tint) => {
      const index = list.length;
      list.push({ field, parent, depth, tint, inner: [] });
      if (parent >= 0) list[parent].inner.push(index);
      for (let at = field.start; at < Math.min(field.end, size); at++) owner[at] = index;
      field.children.forEach((child, position) => {
        const big = field.children.length > 1 && (depth < 3 || field.end - field.start > 100); // a certificate is large
        walk(child, index, depth + 1, big ? (tint + position + 1) % TINTS : tint);
      });
    };
    walk(root, -1, 0, 0);
    return { list, owner };
  };

  const hexOf = (raw) => (typeof raw === "string" ? raw : raw.hex || "");

  const hexDump = (hex, flat) => {
    const cells = [];
    const lines = [];
    for (let start = 0; start < hex.length / 2; start += WIDTH) {
      const row = [];
      const text = [];
      for (let at = start; at < Math.min(start + WIDTH, hex.length / 2); at++) {
        const pair = hex.slice(2 * at, 2 * at + 2);
        const code = parseInt(pair, 16);
        const tint = `t${flat.list[flat.owner[at]].tint}`;
        const byte = h("span", { class: `b ${tint}`, "data-at": at }, pair);
        const letter = h("span", { class: `c ${tint}`, "data-at": at }, code > 32 && code < 127 ? String.fromCharCode(code) : "·");
        cells.push([byte, letter]);
        row.push(byte);
        text.push(letter);
      }
      while (row.length < WIDTH) row.push(h("span", { class: "b blank", "aria-hidden": "true" }, "  "));
      lines.push(h("div", { class: "line" }, h("span", { class: "offset" }, start.toString(16).padStart(4, "0")),
        h("span", { class: "bs" }, row), h("span", { class: "cs" }, text)));
    }
    return { cells, lines };
  };

  const path = (flat, index) => {
    const names = [];
    for (let at = index; at > 0; at = flat.list[at].parent) names.unshift(flat.list[at].field.name);
    return names.join(" › ") || flat.list[0].field.name;
  };

  const treeItem = (flat, index) => {
    const { field, depth, tint, inner } = flat.list[index];
    const expanded = inner.length ? String(depth < 1 || field.name === "extensions") : null;
    return h("li", { role: "treeitem", tabindex: index === 0 ? 0 : -1, "data-field": index, "aria-level": depth + 1, "aria-expanded": expanded,
        "aria-label": [field.name, field.value, field.meaning].filter(Boolean).join(", ") },
      h("div", { class: `frow t${tint}` },
        h("span", { class: "fold", "aria-hidden": "true" }),
        h("span", { class: "fname" }, field.name),
        h("span", { class: "fvalue" }, field.value),
        field.meaning ? h("span", { class: "fmeaning" }, field.meaning) : null),
      inner.length ? h("ul", { role: "group" }, inner.map((child) => treeItem(flat, child))) : null);
  };

  // Everything about one message.
  const render = (message) => {
    const hex = hexOf(message.raw);
    const size = hex.length / 2;
    const flat = flatten(message.field, size);
    const { cells, lines } = hexDump(hex, flat);
    const dump = h("div", { class: "dump", tabindex: 0, role: "group", "aria-label": `The ${size} bytes of ${message.name}; arrow keys move from byte to byte` }, lines);
    const tree = h("ul", { class: "tree", role: "tree", "aria-label": `The fields of ${message.name}` }, treeItem(flat, 0));
    const inspector = h("div", { class: "inspector", "aria-live": "polite" });
    const items = new Map([...tree.querySelectorAll("[data-field]")].map((item) => [Number(item.dataset.field), item]));
    let lit = -1;
    let cursor = -1;

    const tell = (index, at) => {
      const { field } = flat.list[index];
      const range = field.end - field.start === 1 ? `byte ${field.start}` : `bytes ${field.start}–${field.end - 1}`;
      inspector.replaceChildren(
        h("p", { class: "path" }, path(flat, index), at >= 0 && flat.list[index].field.end - flat.list[index].field.start > 1
          ? h("small", {}, ` byte ${at - field.start + 1} of ${field.end - field.start}`) : null),
        h("p", { class: "says" }, h("code", {}, field.value || bytesText(field.end - field.start)),
          field.meaning ? h("strong", {}, field.meaning) : null, h("small", {}, `${field.kind ? `${field.kind}, ` : ""}${range}`), section(field.section)),
        field.about ? h("p", { class: "about" }, field.about)
          : index === 0 ? h("p", { class: "about" }, "Point at a byte or at a field, or walk along either with the arrow keys.") : "");
    };

    const visible = (index) => {
      // The field's own row, or that of the innermost open field around it.
      let found = index;
      for (let at = flat.list[index].parent; at >= 0; at = flat.list[at].parent)
        if (items.get(at).getAttribute("aria-expanded") === "false") found = at;
      return found;
    };

    const light = (index, at = -1) => {
      if (lit >= 0) for (const old of message_.querySelectorAll(".lit, .at")) old.classList.remove("lit", "at");
      lit = index;
      const { field } = flat.list[index];
      for (let each = field.start; each < Math.min(field.end, size); each++) for (const cell of cells[each]) cell.classList.add("lit");
      if (at >= 0) for (const cell of cells[at]) cell.classList.add("at");
      items.get(visible(index)).firstElementChild.classList.add("lit");
      tell(index, at);
    };

    const open = (index) => {
      for (let at = flat.list[index].parent; at >= 0; at = flat.list[at].parent) items.get(at).setAttribute("aria-expanded", "true");
    };
    const rove = (index) => {
      for (const item of items.values()) item.tabIndex = -1;
      items.get(index).tabIndex = 0;
      items.get(index).focus({ preventScroll: true });
      items.get(index).firstElementChild.scrollIntoView({ block: "nearest" });
    };

    // What slides under a mouse that rests was not pointed at: a click may make the page scroll.
    let spot = "";
    const moved = (event) => {
      const before = spot;
      spot = `${event.clientX} ${event.clientY}`;
      return spot !== before;
    };

    dump.addEventListener("mouseover", (event) => {
      const at = event.target.dataset.at;
      if (moved(event) && at !== undefined) light(flat.owner[Number(at)], Number(at));
    });
    dump.addEventListener("click", (event) => {
      const at = event.target.dataset.at;
      moved(event);
      if (at === undefined) return;
      cursor = Number(at);
      open(flat.owner[cursor]);
      light(flat.owner[cursor], cursor);
      items.get(flat.owner[cursor]).firstElementChild.scrollIntoView({ block: "nearest" });
    });
    dump.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: WIDTH, ArrowUp: -WIDTH, Home: -size, End: size };
      if (event.key === "Enter" && cursor >= 0) {
        open(flat.owner[cursor]);
        rove(flat.owner[cursor]);
      } else if (event.key in steps && size) {
        cursor = Math.max(0, Math.min(size - 1, cursor < 0 ? 0 : cursor + steps[event.key]));
        light(flat.owner[cursor], cursor);
        cells[cursor][0].scrollIntoView({ block: "nearest" });
      } else return;
      event.preventDefault();
    });

    tree.addEventListener("mouseover", (event) => {
      const item = event.target.closest("[data-field]");
      if (moved(event) && item) light(Number(item.dataset.field));
    });
    tree.addEventListener("focusin", (event) => {
      light(Number(event.target.dataset.field));
      const first = cells[flat.list[lit].field.start];
      if (first) first[0].scrollIntoView({ block: "nearest" });
    });
    tree.addEventListener("click", (event) => {
      const item = event.target.closest("[data-field]");
      moved(event);
      if (!item) return;
      if (item.hasAttribute("aria-expanded")) item.setAttribute("aria-expanded", String(item.getAttribute("aria-expanded") !== "true"));
      rove(Number(item.dataset.field));
    });
    tree.addEventListener("keydown", (event) => {
      const item = event.target.closest("[data-field]");
      const index = Number(item.dataset.field);
      const seen = [...items.keys()].filter((at) => visible(at) === at);
      const here = seen.indexOf(index);
      const unfolded = item.getAttribute("aria-expanded");
      const goes = {
        ArrowDown: () => seen[here + 1], ArrowUp: () => seen[here - 1], Home: () => seen[0], End: () => seen[seen.length - 1],
        ArrowRight: () => (unfolded === "false" ? item.setAttribute("aria-expanded", "true") : seen[here + 1]),
        ArrowLeft: () => (unfolded === "true" && index > 0 ? item.setAttribute("aria-expanded", "false") : flat.list[index].parent),
        Enter: () => unfolded && item.setAttribute("aria-expanded", String(unfolded !== "true")),
      };
      if (!(event.key in goes)) return;
      event.preventDefault();
      const to = goes[event.key]();
      if (typeof to === "number" && to >= 0) rove(to);
    });

    const other = message.sender === "client" ? "server" : "client";
    const message_ = h("article", { class: message.id.endsWith("-unpacked") ? "unpacked" : "message", "data-message": message.id },
      h("h3", {}, message.name),
      message.id.endsWith("-unpacked") ? null : h("p", { class: "from" }, h("span", { class: message.sender }, message.sender), " → ", h("span", { class: other }, other), ", ",
        bytesText(message.size), ", ", h("span", { class: message.sealed ? "sealed" : "clear" }, message.sealed ? "encrypted on the wire" : "in clear on the wire")),
      message.note ? h("p", { class: "note" }, message.note) : null,
      size && size < message.size ? h("p", { class: "note" }, `Its first ${bytesText(size)} are shown.`) : null,
      size ? dump : h("p", { class: "note" }, "Its bytes were not kept."),
      size ? inspector : null,
      size ? tree : null,
      message.unpacked ? render(message.unpacked) : null);
    if (size) tell(0, -1);
    return message_;
  };

  return { render };
})();
