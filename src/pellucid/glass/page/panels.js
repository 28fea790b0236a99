"use strict";
// The other views: the nine steps, keys, reasons, trust, and what an eavesdropper sees.

const Panels = (() => {
  // -- the nine steps ---------------------------------------------------------------------------------

  const stepItem = (item, context) => {
    if ("sender" in item) {
      const name = h("b", { class: `sent ${item.bad ? "bad" : item.sealed ? "sealed" : "clear"}` }, item.name);
      const way = item.sender === "client" ? [name, h("span", { class: "way", role: "img", "aria-label": "to the server" }, " ⟶")]
        : [h("span", { class: "way", role: "img", "aria-label": "to the client" }, "⟵ "), name];
      return h("details", { class: "item" },
        h("summary", {}, way, h("small", {}, ` ${bytesText(item.size)}, ${item.sealed ? "encrypted" : "in clear"}`)),
        entries(item.entries),
        item.id ? h("p", { class: "entries" }, h("button", { type: "button", class: "link", onclick: () => context.select(item.id) }, "all its bytes")) : null);
    }
    const marks = item.entries.filter((entry) => entry.value && typeof entry.value === "object" && "passed" in entry.value);
    const rest = item.entries.filter((entry) => !marks.includes(entry));
    return h("div", { class: "item done" },
      item.text ? h("p", {}, item.text) : null,
      marks.length ? h("ul", { class: "checks" }, marks.map((entry) => h("li", {}, tick(entry.value.passed), h("span", {}, h("b", {}, entry.label), " ", entry.value.detail)))) : null,
      rest.length ? entries(rest) : null);
  };

  const failed = (step) => step.items.some((item) => item.bad || item.entries.some((entry) => entry.value && entry.value.passed === false));

  const steps = (view, context) => {
    const broken = view.failure ? view.steps.find(failed) || view.steps[view.steps.length - 1] : null;
    const list = view.steps.map((step) =>
      h("li", { class: `step by-${step.who}${step === broken ? " broken" : ""}`, "data-step": step.number },
        h("h3", {}, h("span", { class: "circle" }, h("span", { class: "sr" }, "Step "), step.number), step.title, h("small", { class: step.who }, step.who === "both" ? "both" : `the ${step.who}`)),
        h("p", { class: "happens" }, step.happens),
        step === broken ? threeParts(view.failure) : null,
        step.items.map((item) => stepItem(item, context)),
        h("dl", { class: "asides" },
          step.why ? h("div", {}, h("dt", {}, "Why"), h("dd", {}, step.why)) : null,
          step.sees ? h("div", {}, h("dt", {}, "An eavesdropper sees"), h("dd", {}, step.sees)) : null,
          step.honest ? h("div", {}, h("dt", {}, "To be exact"), h("dd", {}, step.honest)) : null),
        step.change ? h("dl", { class: "change" }, ["then", "now", "why"].map((key) => h("div", {}, h("dt", {}, key), h("dd", {}, step.change[key])))) : null));
    return h("div", { class: "steps" },
      view.turns.length ? h("ul", { class: "turns" }, view.turns.map((turn) => h("li", {}, turn))) : null,
      h("ol", {}, list),
      view.ending.length ? h("div", { class: "ending" }, view.ending.map((item) => stepItem(item, context))) : null);
  };

  // -- keys ----------------------------------------------------------------------------------------------

  const keyItem = (key) =>
    h("li", { class: key.used ? `used by-${key.used}` : "" },
      h("div", { class: "key", id: `key-${key.id}` },
        h("p", { class: "kname" }, h("b", {}, key.name), key.used ? h("small", { class: key.used }, `the ${key.used} writes with it`) : null),
        h("p", { class: "kvalue" }, both(key.value, key.other === undefined ? null : key.other)),
        key.how ? h("p", { class: "how" }, h("code", {}, formula(key)), " ", section(key.section)) : null,
        key.about ? h("p", { class: "about" }, key.about) : null),
      key.children.length ? h("ul", {}, key.children.map(keyItem)) : null);

  // 'PRF(., "key expansion", .)' with the inputs' names in the places of the dots; the last dot takes the rest.
  const formula = (key) => {
    const names = key.inputs.map((input) => input.name);
    const dots = (key.how.match(/[(\s]\.(?=[,)])/g) || []).length;
    let dot = 0;
    return key.how.replace(/([(\s])\.(?=[,)])/g, (whole, before) => {
      dot += 1;
      return before + ((dot === dots ? names.splice(0).join(", ") : names.shift()) || "secret");
    });
  };

  const keys = (view) =>
    h("div", { class: "keys" },
      view.about ? h("p", { class: "lead" }, view.about) : h("p", { class: "lead" }, "No keys were made yet."),
      h("ul", { class: "keytree" }, view.roots.map(keyItem)));

  // -- reasons -------------------------------------------------------------------------------------------

  const yes = (value) => (value === null ? h("span", { class: "quiet", title: "this side cannot know" }, "?") : tick(value));

  // What was offered and acceptable, where no table says so.
  const lists = (one) => {
    const known = ["offered", "acceptable"].filter((name) => one[name] !== null);
    return known.length ? h("dl", { class: "entries" }, known.map((name) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, one[name].join(", ") || "nothing")))) : null;
  };

  const decision = (one) => {
    const rows = one.options.map((option) =>
      h("tr", { class: option.chosen ? "chosen" : "" }, h("th", { scope: "row" }, option.chosen ? h("span", { class: "sr" }, "chosen: ") : null, option.name),
        h("td", {}, yes(option.offered)), h("td", {}, yes(option.acceptable)), h("td", {}, option.why)));
    return h("section", { class: "decision" },
      h("h3", {}, one.question, " ", section(one.section)),
      h("p", { class: "answer" }, h("b", {}, one.chosen || "nothing"), h("small", { class: one.who }, ` the ${one.who} chose`)),
      one.rule ? h("p", { class: "rule" }, one.rule) : null,
      one.about ? h("p", { class: "about" }, one.about) : null,
      rows.length < 2 ? lists(one) : h("details", { open: one.options.length < 6 }, h("summary", {}, `All ${rows.length} possibilities`),
        h("div", { class: "wide", tabindex: 0, role: "group", "aria-label": one.question },
          h("table", {}, h("thead", {}, h("tr", {}, ["", "offered", "acceptable", "why"].map((head) => (head ? h("th", { scope: "col" }, head) : h("td", {}))))), h("tbody", {}, rows)))),
      one.unknown ? h("p", { class: "note" }, one.unknown) : null);
  };

  const reasons = (view) =>
    view.decisions.length ? h("div", { class: "reasons" }, view.decisions.map(decision)) : h("p", { class: "lead" }, "Nothing was decided yet.");

  // -- trust -----------------------------------------------------------------------------------------------

  const checkList = (checks) =>
    h("ul", { class: "checks" }, checks.map((check) =>
      h("li", {}, tick(check.passed), h("span", {}, h("b", {}, check.question || check.what), " ", check.detail, " ", section(check.section)))));

  const day = (text) => String(text).slice(0, 10);

  const certificate = (one, context) =>
    h("li", { class: `certificate ${one.place}${one.checks.some((check) => check.passed === false) ? " broken" : ""}` },
      h("h4", {}, one.subject || "(no name)", h("small", {}, { leaf: "the certificate itself", intermediate: "an authority in between", root: "the authority that is trusted" }[one.place] || one.place)),
      entries([
        { label: "for", value: one.names }, { label: "signed by", value: one.issuer }, { label: "valid", value: `${day(one.not_before)} to ${day(one.not_after)}` },
        { label: "key", value: one.key }, { label: "signature", value: one.signature }, { label: "may be used for", value: one.usages },
        { label: "serial number", value: one.serial }, { label: "SHA-256", value: one.fingerprint },
      ].filter((entry) => entry.value && entry.value.length)),
      one.checks.length ? checkList(one.checks) : null,
      one.sent && one.id ? h("button", { type: "button", class: "link", onclick: () => context.select(one.id) }, "its bytes") : null);

  const chain = (one, context) =>
    h("section", { class: `chain ${one.verdict.replace(/ /g, "-")}` },
      h("h3", {}, one.whose === "server" ? "The server's" : "The client's", " certificates: ", h("span", { class: { believed: "good", refused: "bad" }[one.verdict] || "quiet" }, one.verdict)),
      one.why ? h("p", {}, one.why) : null,
      h("ol", { class: "path" }, [...one.certificates].map((each) => certificate(each, context))),
      one.checks.length ? checkList(one.checks) : null);

  const trust = (view, context) =>
    h("div", { class: "trust" }, view.about ? h("p", { class: "lead" }, view.about) : null, view.chains.map((one) => chain(one, context)));

  // -- the wire ----------------------------------------------------------------------------------------------

  const quoted = (one) => one.plaintext && typeof one.plaintext === "object" && one.plaintext.text;

  const record = (one, context) =>
    h("tr", { class: one.legible ? "clear" : "sealed" },
      h("th", { scope: "row", class: one.sender }, one.sender),
      h("td", {}, h("p", {}, one.outside), h("code", { class: "hex" }, h("span", { class: "header" }, grouped(one.wire.slice(0, 10))), " ",
        grouped(one.wire.slice(10, 58)), one.wire.length > 58 ? " …" : ""), h("small", {}, ` ${bytesText(one.size)}`)),
      h("td", {}, one.inside.map((inner) =>
        h("p", {}, inner.id ? h("button", { type: "button", class: "link", onclick: () => context.select(inner.id) }, inner.name) : inner.name,
          inner.part ? h("small", {}, " a part of it") : null, inner.gist && !quoted(one) ? h("small", {}, ` ${inner.gist}`) : null)),
        quoted(one) ? shown(one.plaintext) : null));

  const leak = (one) =>
    h("section", { class: `leak ${one.opens === true ? "bad" : one.opens === false ? "good" : ""}` },
      h("h3", {}, "And if the server’s key leaks next year?"),
      h("p", { class: "verdict" }, one.verdict), h("p", {}, one.why),
      one.tries.length ? h("ol", { class: "tries" }, one.tries.map((each) =>
        h("li", {}, each.worked === null ? null : tick(each.worked), " ", each.text, each.value === null || each.value === "" ? null : [" ", shown(each.value)]))) : null,
      one.read.length ? h("div", {}, h("h4", {}, "What the thief reads"), h("dl", { class: "entries" }, one.read.map((each) =>
        h("div", {}, h("dt", {}, `${each.sender}, ${each.type.replace(/_/g, " ")}`), h("dd", {}, shown(each.plaintext)))))) : null);

  const wire = (view, context) =>
    h("div", { class: "wireview" },
      h("p", { class: "lead" }, "Left: all that somebody on the wire gets. Right: what the two ends find in the same record."),
      h("div", { class: "wide", tabindex: 0, role: "group", "aria-label": "Records" }, h("table", {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "from"), h("th", { scope: "col" }, "the wire"), h("th", { scope: "col" }, "the ends"))),
        h("tbody", {}, view.records.map((one) => record(one, context))))),
      view.learns.length ? h("div", { class: "halves" },
        h("section", {}, h("h3", {}, "An eavesdropper learns"), entries(view.learns)),
        h("section", {}, h("h3", {}, "and does not learn"), view.hidden.length ? entries(view.hidden) : h("p", {}, "nothing: all was in clear"))) : null,
      view.leak && view.leak.verdict ? leak(view.leak) : null);

  return { steps, keys, reasons, trust, wire };
})();
