// The page: asks what the model can do and shows a panel for each. Texts become DOM text, never markup.
// send.js answers: server.js asks the server that sent the page, local.js runs the model in the browser.

import { PROMISE, send } from "./send.js";

let key = "";
const ask = (path, body) => send(path, body, key);

const PANELS = [
  {
    route: "classify", title: "Classify text", action: "Classify",
    fields: [
      { name: "text", label: "Text", rows: 4, value: "A small wonder of a film, funny and moving." },
      { name: "pair", label: "Second text", hint: "for models of text pairs", rows: 1, optional: true },
    ],
    show: showLabels,
  },
  {
    route: "answer", title: "Answer a question", action: "Answer",
    fields: [
      { name: "context", label: "Passage", rows: 6,
        value: "Ada Lovelace wrote the first published program in 1843. It told Charles Babbage's Analytical Engine how to compute Bernoulli numbers." },
      { name: "question", label: "Question", rows: 1, value: "When was the first program published?" },
    ],
    show: showAnswer,
  },
  {
    route: "tag", title: "Tag words", action: "Tag",
    fields: [{ name: "text", label: "Text", rows: 3, value: "Ada Lovelace met Charles Babbage in London in June 1833." }],
    show: showNames,
  },
  {
    route: "choose", title: "Multiple choice", action: "Choose",
    fields: [
      { name: "context", label: "Passage", rows: 4, value: "Ada wrote the letter in May. It rained the whole month." },
      { name: "question", label: "Question", rows: 1, value: "When did Ada write the letter?" },
      { name: "options", label: "Options", hint: "one per line", rows: 3, value: "In May\nIn June\nIn winter", lines: true },
    ],
    show: (result, sent) => [bars(sent.options.map((option, i) => [option, result.probabilities[i]])), cut(result)],
  },
  {
    route: "fill", title: "Fill in a mask", action: "Fill in",
    fields: [{ name: "text", label: "Text", hint: "[MASK] marks the missing piece", rows: 2, value: "She drank a [MASK] of tea." }],
    show: showMasks,
  },
  {
    route: "compare", title: "Compare two texts", action: "Compare", two: true,
    fields: [
      { name: "text", label: "Text", rows: 3, value: "Oil prices rose again on Friday." },
      { name: "pair", label: "Other text", rows: 3, value: "Crude became dearer at the end of the week." },
    ],
    show: (result) => [
      node("p", { class: "big" }, `Similarity ${result.similarity.toFixed(3)}`),
      node("p", { class: "hint" }, "Cosine similarity, at most 1. Unrelated texts are rarely near 0, so compare similarities with each other."),
      bars([["Similarity", Math.max(0, result.similarity), result.similarity.toFixed(3)]]), cut(result),
    ],
  },
  {
    route: "order", title: "Sentence order", action: "Check", two: true,
    fields: [
      { name: "text", label: "First text", rows: 2, value: "She opened the door." },
      { name: "pair", label: "Second text", rows: 2, value: "Nobody was there." },
    ],
    show: (result) => [
      bars([["Second follows first", result.probability_in_order], ["First follows second", 1 - result.probability_in_order]]),
      cut(result),
    ],
  },
  {
    route: "tokenize", title: "Tokenize text", action: "Tokenize",
    fields: [{ name: "text", label: "Text", rows: 2, value: "Unfriendly weather, isn't it?" }],
    show: (result) => [pieces(result)],
  },
];

function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

// [name, share in 0..1, what to write instead of the percentage]
function bars(rows) {
  return node("ul", { class: "bars" }, ...rows.map(([name, share, written]) => {
    const fill = node("span", { class: "fill" });
    fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
    return node("li", {}, node("span", {}, name), node("span", { class: "number" }, written ?? percent(share)),
      node("span", { class: "track", "aria-hidden": "true" }, fill));
  }));
}

function cut(result) {
  return result.cut_tokens
    ? node("p", { class: "hint" }, `The text is too long for the model: its last ${result.cut_tokens} tokens were not read.`)
    : null;
}

function pieces(result) {
  return node("ul", { class: "pieces" },
    ...result.pieces.map((piece, i) => node("li", {}, piece, node("span", { class: "id" }, String(result.ids[i])))));
}

// The text with some spans marked. The server counts characters, JavaScript counts halves of some.
function marked(text, spans, make) {
  const characters = Array.from(text);
  const slice = (start, end) => characters.slice(start, end).join("");
  const parts = [];
  let done = 0;
  for (const span of spans) {
    parts.push(slice(done, span.start), make(span, slice(span.start, span.end)));
    done = span.end;
  }
  return node("p", { class: "text" }, ...parts, slice(done));
}

async function showLabels(result, sent, can) {
  const parts = [];
  if (result.value != null) parts.push(node("p", { class: "big" }, result.value.toFixed(3)));
  else {
    const name = result.label ?? (result.labels.join(", ") || "(none)");
    const rows = Object.entries(result.probabilities).sort((a, b) => b[1] - a[1]);
    parts.push(node("p", { class: "big" }, name), bars(rows));
  }
  parts.push(cut(result));
  if (can.includes("explain")) {
    try { parts.push(...words((await ask("explain", sent)).results[0], sent)); }
    catch (error) { parts.push(node("p", { class: "hint" }, `No explanation: ${error.message}`)); }
  }
  const tokens = (await ask("tokenize", { text: sent.text })).results[0];
  parts.push(node("h3", {}, "Tokens"), pieces(tokens));
  return parts;
}

function words(found, sent) {
  const largest = Math.max(...found.words.map((word) => Math.abs(word.score)), 1e-9);
  const show = (field) => marked(sent[field], found.words.filter((word) => word.field === field), (word, text) => {
    const strength = Math.abs(word.score) / largest;
    if (strength < 0.05) return text;
    const made = node("mark", { class: word.score > 0 ? "for" : "against" }, text);
    made.style.setProperty("--strength", (0.6 * strength).toFixed(3));
    return made;
  });
  const strongest = [...found.words].sort((a, b) => Math.abs(b.score) - Math.abs(a.score)).slice(0, 5);
  const signed = (score) => `${score < 0 ? "−" : "+"}${Math.abs(score).toFixed(3)}`;
  return [
    node("h3", {}, found.label == null ? "Words that moved the value" : `Words that moved “${found.label}”`),
    show("text"), sent.pair ? show("pair") : null,
    node("p", { class: "hint" }, strongest.map((word) => `${word.text} ${signed(word.score)}`).join(" · ")),
    node("p", { class: "hint" }, "Each score is how much the output drops when the word is masked. Shaded words raise it, dotted words lower it."),
  ];
}

function showAnswer(result, sent) {
  const shown = result.answer
    ? marked(sent.context, [result], (_, text) => node("mark", { class: "found" }, text))
    : node("p", { class: "text" }, sent.context);
  return [
    node("p", { class: "big" }, result.answer || "No answer in the passage."), shown,
    node("h3", {}, "Candidates"),
    bars(result.n_best.map((one) => [one.answer || "(no answer)", one.probability])),
  ];
}

function showNames(result, sent) {
  if (!result.entities.length) {
    const words = result.words.map(([start, end], i) => ({ start, end, type: result.tags[i] }));
    if (words.every((word) => word.type === "O")) return [node("p", { class: "big" }, "No entities.")];
    return [marked(sent.text, words, (word, text) =>
      node("mark", { class: "entity" }, text, node("span", { class: "type" }, word.type)))];
  }
  return [
    marked(sent.text, result.entities, (entity, text) =>
      node("mark", { class: "entity" }, text, node("span", { class: "type" }, entity.type))),
    node("h3", {}, "Entities"),
    bars(result.entities.map((entity) => [`${entity.text} (${entity.type})`, entity.probability])),
  ];
}

function showMasks(result) {
  const many = result.masks.length > 1;
  const readable = (piece) => piece.replace("\u2581", "") || "(a space)";
  return [
    ...result.masks.flatMap((mask, i) => [
      many ? node("h3", {}, `Mask ${i + 1}`) : null,
      bars(mask.candidates.map((one) => [readable(one.piece), one.probability])),
    ]),
    cut(result),
  ];
}

function panel(plan, can) {
  const id = (name) => `${plan.route}-${name}`;
  const answer = node("div", { class: "answer", role: "status", "aria-live": "polite" });
  const button = node("button", {}, plan.action);
  const fields = node("div", { class: plan.two ? "fields two" : "fields" }, ...plan.fields.map((field) => {
    const area = node("textarea", { id: id(field.name), name: field.name, rows: field.rows, required: !field.optional });
    area.value = field.value ?? "";
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    const hint = field.hint ? node("span", { class: "hint" }, ` (${field.hint})`) : null;
    const parts = [node("label", { for: id(field.name) }, field.label, hint), area];
    // Most models read one text: the field for another stays folded.
    return field.optional
      ? node("details", {}, node("summary", {}, `Add a ${field.label.toLowerCase()}`), ...parts)
      : node("div", {}, ...parts);
  }));
  const buttons = node("div", { class: "row" }, button);
  // The page itself says what is missing: the browser's own bubble takes blanks for a text, and leaves after a moment.
  const form = node("form", { "aria-labelledby": id("title"), novalidate: true }, fields, buttons);
  if (plan.route === "fill") {
    const mask = node("button", { type: "button", class: "plain" }, "Insert [MASK]");
    mask.addEventListener("click", () => {
      const area = form.elements.text;
      area.setRangeText("[MASK]", area.selectionStart, area.selectionEnd, "end");
      area.focus();
    });
    buttons.append(mask);
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled")) return;
    const empty = plan.fields.filter((field) => !field.optional && !form.elements[field.name].value.trim());
    for (const field of plan.fields) form.elements[field.name].removeAttribute("aria-invalid");
    if (empty.length) {
      for (const field of empty) form.elements[field.name].setAttribute("aria-invalid", "true");
      answer.replaceChildren(node("p", { class: "problem" },
        `Enter a text: ${empty.map((field) => `“${field.label}”`).join(" and ")} is empty.`));
      form.elements[empty[0].name].focus();
      return;
    }
    const body = {};
    for (const field of plan.fields) {
      const value = form.elements[field.name].value;
      if (field.lines) body[field.name] = value.split("\n").map((line) => line.trim()).filter(Boolean);
      else if (value || !field.optional) body[field.name] = value;
    }
    button.setAttribute("aria-disabled", "true"); // it keeps the focus, as a disabled button would not
    try {
      const result = (await ask(plan.route, body)).results[0];
      answer.replaceChildren(...(await plan.show(result, body, can)).filter(Boolean));
    } catch (error) {
      answer.replaceChildren(node("p", { class: "problem" }, error.message));
      if (error.status === 401) wantKey();
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  return node("section", { id: plan.route, "aria-labelledby": id("title") },
    node("h2", { id: id("title") }, plan.title), form, answer);
}

function wantKey() {
  const form = document.getElementById("key");
  form.hidden = false;
  document.getElementById("key-field").focus();
}

async function start() {
  const facts = document.getElementById("facts");
  let model;
  try {
    model = await ask("model");
  } catch (error) {
    facts.textContent = error.message;
    if (error.status === 401) wantKey();
    else setTimeout(start, 2000);
    return;
  }
  document.getElementById("key").hidden = true;
  document.title = `${model.model} · albertkit`;
  document.getElementById("model").textContent = model.model;
  const labels = model.labels.length ? `, labels: ${model.labels.slice(0, 12).join(", ")}${model.labels.length > 12 ? " …" : ""}` : "";
  facts.textContent = `${model.task ? model.task.replaceAll("_", " ") : "pretrained, no task"}${labels}. Reads up to ${model.max_length} tokens.`;
  const plans = PANELS.filter((plan) => model.can.includes(plan.route))
    .map((plan) => ({ ...plan, fields: plan.fields.filter((field) => model.takes_pairs || !field.optional) }));
  document.getElementById("panels").replaceChildren(...plans.map((plan) => panel(plan, model.can)));
  document.getElementById("index").replaceChildren(
    ...plans.map((plan) => node("li", {}, node("a", { href: `#${plan.route}` }, plan.title))));
  document.querySelector("nav").hidden = plans.length < 2;
}

const promise = document.getElementById("promise");
promise.textContent = PROMISE.text;
if (PROMISE.link) promise.append(" ", node("a", { href: PROMISE.link.href }, PROMISE.link.text));

document.getElementById("key").addEventListener("submit", (event) => {
  event.preventDefault();
  key = document.getElementById("key-field").value.trim();
  document.getElementById("key-field").value = "";
  start();
});
start();
