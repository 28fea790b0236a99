"use strict";
// Making elements, and values. Text is only ever set as text: what a peer said is never read as HTML.

const h = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
};

const bytesText = (size) => `${size.toLocaleString("en")} byte${size === 1 ? "" : "s"}`;
const isHex = (text) => text.length >= 8 && text.length % 2 === 0 && /^[0-9a-f]+$/.test(text);
const grouped = (hex) => hex.replace(/(.{8})(?=.)/g, "$1 ");
const alike = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// Public bytes, whole up to 32 of them, else by their two ends.
const hexText = (hex) =>
  hex.length <= 64 ? grouped(hex) : `${grouped(hex.slice(0, 32))} … ${hex.slice(-8)}`;

const secretText = (secret) => {
  if (secret.hex) return grouped(secret.hex);
  return secret.head ? `${secret.head}…` : "······…";
};

const tick = (passed) => {
  const [sign, said, kind] =
    passed === true ? ["✓", "passed", "good"] : passed === false ? ["✗", "failed", "bad"] : ["–", "not made", "quiet"];
  return h("span", { class: `tick ${kind}`, role: "img", "aria-label": said }, sign);
};

// Any value of a view's tree, as an element.
const shown = (value) => {
  if (value === null || value === undefined) return h("span", { class: "quiet" }, "–");
  if (typeof value === "string") {
    return isHex(value)
      ? h("code", { class: "hex", title: bytesText(value.length / 2) }, hexText(value))
      : h("span", {}, value);
  }
  if (typeof value !== "object") return h("span", {}, String(value));
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item === "string" && item.length < 60 && !isHex(item)))
      return h("span", {}, value.join(", ") || "none");
    return h("ul", { class: "plain" }, value.map((item) => h("li", {}, shown(item))));
  }
  if ("secret" in value)
    return h("span", { class: "secret" }, h("code", {}, secretText(value)), h("small", {}, ` ${bytesText(value.secret)}`));
  if ("data" in value)
    return "text" in value
      ? h("q", { class: "said" }, value.text.slice(0, 400) + (value.text.length > 400 ? " …" : ""))
      : h("span", { class: "quiet" }, `${bytesText(value.data)} of data`);
  if ("passed" in value) return h("span", { class: "check" }, tick(value.passed), " ", value.detail || "");
  if ("client" in value && "server" in value) return both(value.client, value.server);
  return h("span", {}, JSON.stringify(value));
};

// What each end computed for itself, and whether it is the same.
const both = (client, server) => {
  if (client === null || server === null) return shown(client === null ? server : client);
  if (alike(client, server))
    return h("span", {}, shown(client), " ", h("span", { class: "same", title: "Both ends have the same bytes" }, "= both ends"));
  return h("span", {}, shown(client), " ", h("span", { class: "bad" }, "≠"), " ", shown(server));
};

// "RFC 8446 4.1.2" as a link to that section. Nothing is loaded unless the reader follows it.
const section = (text) => {
  const found = /^RFC (\d+)(?: (?:section )?([\dA-Z][\d.A-Z]*))?/.exec(text || "");
  if (!found) return text ? h("span", { class: "rfc" }, text) : null;
  const place = found[2] ? `#${/^[A-Z]/.test(found[2]) ? "appendix" : "section"}-${found[2].replace(/\.$/, "")}` : "";
  const href = `https://www.rfc-editor.org/rfc/rfc${found[1]}${place}`;
  return h("a", { class: "rfc", href, rel: "noreferrer noopener", target: "_blank" }, text.replace(/^(RFC \d+) /, "$1 §\u200a"));
};

const entries = (list) =>
  list.length === 0
    ? null
    : h("dl", { class: "entries" }, list.map((entry) => h("div", {}, h("dt", {}, entry.label), h("dd", {}, shown(entry.value),
        entry.about ? h("p", { class: "about" }, entry.about) : null))));

// A failure's three parts.
const threeParts = (failure) =>
  h("div", { class: "failure", role: "status" },
    h("p", { class: "what" }, h("span", { "aria-hidden": "true" }, "✗ "), failure.what),
    h("dl", {}, h("div", {}, h("dt", {}, "why"), h("dd", {}, failure.why)), h("div", {}, h("dt", {}, "to do"), h("dd", {}, failure.todo))),
    h("p", { class: "reason" }, h("code", {}, failure.reason)));
