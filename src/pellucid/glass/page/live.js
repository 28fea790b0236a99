"use strict";
// The live page: a form for experiments, the scenes seen so far, and the one that is looked at, as it grows.

const Live = (() => {
  const scenes = new Map();
  const place = () => document.getElementById("live");
  let form = null;
  let chosen = null;
  let following = true;
  let drawn = null;

  const post = async (path, body) => {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const said = await answer.json().catch(() => ({ error: "pellucid does not answer." }));
    if (!answer.ok) throw new Error(said.error || "That was refused.");
    return said;
  };

  // -- the form ---------------------------------------------------------------------------------------------

  const options = (list, value) => list.map(({ id, label }) => h("option", { value: id, selected: id === value }, label));
  const field = (name, label, content) => h("p", { class: "field" }, h("label", { for: `choose-${name}` }, label),
    h("select", { id: `choose-${name}`, name }, content));
  const radio = (name, label, choices, first) =>
    h("fieldset", { class: "field" }, h("legend", {}, label), h("span", { class: "segments" }, choices.map(([id, text]) =>
      h("label", {}, h("input", { type: "radio", name, value: id, checked: id === first }), h("span", {}, text)))));

  const faults = (version) => {
    const fitting = form.faults.filter((fault) => fault.versions.includes(version));
    const groups = Object.entries(form.places).map(([where, label]) => [label, fitting.filter((fault) => fault.where === where)]);
    return [...options(fitting.filter((fault) => !fault.where)), ...groups.filter(([, list]) => list.length).map(([label, list]) => h("optgroup", { label }, options(list)))];
  };

  // What can be chosen depends on what was chosen: only what fits together is offered.
  const adapt = (element) => {
    const version = element.elements.version.value;
    const keep = (name, content) => {
      const select = element.elements[name];
      const before = select.value;
      select.replaceChildren(...content);
      if ([...select.options].some((option) => option.value === before)) select.value = before;
    };
    keep("certificate", options(form.certificates.filter(({ id }) =>
      version === "static-rsa" ? id.startsWith("rsa") : version === "1.3" || !id.startsWith("ml-dsa"))));
    const auth = element.elements.certificate.value.startsWith("rsa") ? "RSA" : "ECDSA";
    const whichever = { id: "", label: "whichever both prefer" };
    keep("suite", options([whichever, ...form.suites[version].filter((suite) => !suite.auth || suite.auth === auth).map(({ id }) => ({ id, label: id }))]));
    keep("group", options([whichever, ...form.groups[version].map((id) => ({ id, label: id }))]));
    element.elements.group.disabled = !form.groups[version].length;
    keep("way", options(form.ways.filter((way) => way.versions.includes(version))));
    keep("fault", faults(version));
  };

  const values = (element, names) => Object.fromEntries(names.map((name) => [name, element.elements[name].value]));

  const run = async (event) => {
    event.preventDefault();
    const element = event.target;
    const said = document.getElementById("said");
    said.textContent = "";
    const host = event.submitter && event.submitter.name === "look";
    const body = host ? values(element, ["host", "pace"]) : values(element, ["version", "suite", "group", "certificate", "way", "fault", "pace"]);
    try {
      if (host && !body.host.trim()) throw new Error("Which host?");
      following = true;
      chosen = (await post("run", body)).number;
      update();
    } catch (error) {
      said.textContent = error.message;
    }
  };

  const controls = () => {
    if (!form) return null;
    const first = form.first;
    const element = h("form", { class: "experiment", "aria-label": "Experiment", onsubmit: run, onchange: (event) => adapt(event.currentTarget) },
      radio("version", "Version", form.versions.map(({ id, label }) => [id, label]), first.version),
      h("div", { class: "fields" },
        field("certificate", "The server’s certificate", []), field("suite", "Cipher suite", []), field("group", "Group", []),
        field("way", "The handshake", []), field("fault", "What goes wrong", [])),
      h("div", { class: "go" },
        radio("pace", "Messages pass", [["at once", "at once"], ["slowly", "slowly"], ["by hand", "one by one, by hand"]], first.pace),
        h("button", { type: "submit", class: "primary", name: "run" }, "Shake hands"),
        h("span", { class: "or" }, "or look at"),
        h("span", { class: "host" }, h("label", { for: "choose-host", class: "sr" }, "Host in the world"),
          h("input", { id: "choose-host", name: "host", placeholder: "example.org", autocomplete: "off", spellcheck: "false" }),
          h("button", { type: "submit", name: "look" }, "Look"))),
      h("p", { id: "said", role: "status", class: "bad" }));
    adapt(element);
    return element;
  };

  // -- the scenes -----------------------------------------------------------------------------------------------

  const sign = { running: "…", complete: "✓", failed: "✗", stopped: "–" };
  const sceneButton = (scene) =>
    h("li", {}, h("button", { type: "button", class: scene.state, "aria-pressed": String(scene.number === chosen), onclick: () => { following = false; chosen = scene.number; update(); } },
      h("span", { "aria-hidden": "true" }, `${sign[scene.state]} `), h("span", { class: "sr" }, `${scene.state}: `), scene.label, scene.detail ? h("small", {}, ` ${scene.detail}`) : null));

  const waiting = (scene) => {
    if (!scene || !scene.waiting || scene.pace !== "by hand") return null;
    const press = (path) => () => post(path, { number: scene.number }).catch(() => {});
    return h("div", { class: "waiting", "data-number": scene.waiting.number },
      h("p", {}, "A record of ", bytesText(scene.waiting.size), " from the ", h("b", { class: scene.waiting.sender }, scene.waiting.sender), " waits on the wire."),
      h("button", { type: "button", id: "step", class: "primary", onclick: press("step") }, "Let it pass"),
      h("button", { type: "button", onclick: press("release") }, "Let all pass"),
      h("button", { type: "button", onclick: press("stop") }, "Stop"));
  };

  const update = () => {
    const scene = scenes.get(chosen);
    const onStep = document.activeElement && document.activeElement.id === "step";
    document.getElementById("scenes").replaceChildren(...[...scenes.values()].reverse().map(sceneButton));
    document.getElementById("waiting").replaceChildren(...[waiting(scene)].filter(Boolean));
    const step = document.getElementById("step");
    if (onStep && step) step.focus();
    if (!scene) return;
    const fresh = drawn !== scene.number;
    if (scene.document) {
      Page.render(scene.document, { fresh, follow: following, running: scene.state === "running", slow: scene.pace === "slowly" || scene.pace === "by hand" });
      drawn = scene.number;
    }
    if (scene.error) {
      const failure = document.getElementById("failure") || document.getElementById("page");
      failure.replaceChildren(threeParts(scene.error));
      if (!scene.document) drawn = null;
    }
    document.documentElement.dataset.scene = `${scene.number} ${scene.state}`;
  };

  const start = () => {
    place().append(h("div", { id: "controls" }), h("nav", { "aria-label": "Connections seen" }, h("ol", { id: "scenes", class: "scenes" })), h("div", { id: "waiting" }),
      h("p", { id: "lost", role: "status", class: "bad" }));
    const events = new EventSource("events");
    events.addEventListener("form", (event) => {
      form = JSON.parse(event.data);
      const before = document.querySelector(".experiment");
      if (!before) document.getElementById("controls").replaceChildren(...[controls()].filter(Boolean));
      if (!scenes.size) document.getElementById("page").replaceChildren(h("p", { class: "empty" }, form
        ? "Choose, and press “Shake hands”: a real client and a real server will meet on this machine, and you see all of it."
        : "Nobody has come yet. The handshake of each visitor appears here."));
    });
    events.addEventListener("scene", (event) => {
      const scene = JSON.parse(event.data);
      const known = scenes.has(scene.number);
      scenes.set(scene.number, scene);
      while (scenes.size > 24) scenes.delete(scenes.keys().next().value);
      if (!known && following) chosen = scene.number;
      update();
    });
    const lost = document.getElementById("lost");
    events.onopen = () => { lost.textContent = ""; };
    events.onerror = () => { lost.textContent = "pellucid does not answer any more. What was seen stays here."; };
  };

  return { start };
})();

document.addEventListener("DOMContentLoaded", Live.start);
