// An exported model in the browser: tokens as albertkit makes them, probabilities or vectors as albertkit computes them.
//
//   const model = await load("https://example.org/my-model/");
//   await model.classify(["a splendid film", { text: "a text", pair: "a second text" }]);
//   await model.embed(["a text"]);  // one Float32Array per text

import * as ort from "./vendor/ort.wasm.min.mjs";
import { Tokenizer } from "./vendor/tokenizers.min.mjs";

const SPECIALS = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"];

export async function load(folder) {
  const read = async (name, as) => {
    const response = await fetch(new URL(name, folder));
    if (!response.ok) throw new Error(`${name}: the server answered ${response.status}`);
    return as === "bytes" ? new Uint8Array(await response.arrayBuffer()) : response.json();
  };
  const [record, tokenizer, network] = await Promise.all([
    read("export.json"), read("tokenizer.json"), read("onnx/model.onnx", "bytes"),
  ]);
  ort.env.wasm.wasmPaths = new URL("./vendor/", import.meta.url).href;
  if (!globalThis.crossOriginIsolated) ort.env.wasm.numThreads = 1; // threads need SharedArrayBuffer
  const session = await ort.InferenceSession.create(network, { executionProviders: ["wasm"] });
  return new Model(record.web, makeTokenizer(tokenizer), session);
}

// Text is always text: "[MASK]" in it is six ordinary characters. A piece with a space matches none, since texts are
// split at spaces before.
function makeTokenizer(content) {
  const vocab = content.model.vocab.map(([piece, score]) => [SPECIALS.includes(piece) ? `${piece} ` : piece, score]);
  return new Tokenizer({ ...content, added_tokens: [], model: { ...content.model, vocab } }, {});
}

export class Model {
  // web: what export.json says of the model for this page
  constructor(web, tokenizer, session) {
    this.web = web;
    this.tokenizer = tokenizer;
    this.session = session;
    const { model, task, labels, max_length, takes_pairs } = web;
    this.description = { model, task, labels, max_length, takes_pairs, can: [web.output === "logits" ? "classify" : "compare", "tokenize"] };
  }

  tokenize(text) {
    const { ids, tokens } = this.tokenizer.encode(text, { add_special_tokens: false });
    return { ids, pieces: tokens.map((piece) => piece.trim()) };
  }

  // texts: strings, or { text, pair }. One result per text: { label, probabilities, cut_tokens }, { labels, .. } or { value }.
  async classify(texts) {
    if (this.web.output !== "logits") throw new Error("this model embeds; call embed");
    const results = [];
    for (const text of texts) {
      const { sequences, unread } = this.encode(text);
      const rows = [];
      for (const sequence of sequences) rows.push(await this.run(sequence));
      const logits = Array.from(rows[0], (_, k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length);
      results.push({ ...this.decode(logits), cut_tokens: unread });
    }
    return results;
  }

  // texts: strings. One Float32Array per text.
  async embed(texts) {
    if (this.web.output === "logits") throw new Error("this model classifies; call classify");
    const vectors = [];
    for (const text of texts) vectors.push(await this.run(this.encode(text).sequences[0]));
    return vectors;
  }

  async compare(text, other) {
    const [a, b] = await this.embed([text, other]);
    const dot = (x, y) => x.reduce((sum, value, k) => sum + value * y[k], 0);
    const cut = Math.max(this.encode(text).unread, this.encode(other).unread);
    return { similarity: dot(a, b) / Math.max(Math.sqrt(dot(a, a) * dot(b, b)), 1e-12), cut_tokens: cut };
  }

  async run({ ids, segments }) {
    const tensor = (values) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, ids.length]);
    const feeds = { input_ids: tensor(ids), attention_mask: tensor(ids.map(() => 1)), token_type_ids: tensor(segments) };
    return (await this.session.run(feeds, [this.web.output]))[this.web.output].data;
  }

  // A text as the sequences that the model reads, and how many of its tokens are in none of them.
  encode(given) {
    const { text, pair } = typeof given === "string" ? { text: given } : given;
    if (pair === undefined && this.web.needs_pair) throw new Error("This model compares two texts: add a second text.");
    if (pair !== undefined && !this.web.takes_pairs) throw new Error("This model reads single texts: leave out the second text.");
    const a = this.tokenize(text).ids, b = pair === undefined ? null : this.tokenize(pair).ids;
    const budget = this.web.max_length - (b ? 3 : 2);
    const total = a.length + (b ? b.length : 0);
    const { parts, read } = cut(a, b, budget, this.web.windows);
    return { sequences: parts.map(([x, y]) => this.sequence(x, y)), unread: total - read };
  }

  sequence(a, b) {
    const { cls_id: cls, sep_id: sep } = this.web;
    const first = [cls, ...a, sep], second = b ? [...b, sep] : [];
    return { ids: [...first, ...second], segments: [...first.map(() => 0), ...second.map(() => 1)] };
  }

  decode(logits) {
    const { task, labels, temperature } = this.web;
    if (task === "regression") return { value: logits[0] };
    const named = (shares) => Object.fromEntries(labels.map((label, k) => [label, shares[k]]));
    if (task === "multilabel") {
      return {
        labels: labels.filter((_, k) => logits[k] > 0),
        probabilities: named(logits.map((logit) => 1 / (1 + Math.exp(-logit)))),
      };
    }
    const largest = Math.max(...logits);
    const raised = logits.map((logit) => Math.exp((logit - largest) / temperature));
    const sum = raised.reduce((x, y) => x + y);
    return { label: labels[logits.indexOf(largest)], probabilities: named(raised.map((value) => value / sum)) };
  }
}

// The longer text loses tokens from its end, as in Google's code; of equally long ones the second.
export function truncated(a, b, budget) {
  if (a + b <= budget) return [a, b];
  const shorter = Math.min(a, b);
  if (budget >= 2 * shorter) return a > b ? [budget - shorter, shorter] : [shorter, budget - shorter];
  return [budget - Math.floor(budget / 2), Math.floor(budget / 2)];
}

// Starts and ends of the windows of a text of so many tokens; windows: { stride, most } or null for one.
export function spans(tokens, room, windows) {
  if (tokens <= room || room < 1 || !windows) return [[0, Math.min(tokens, room)]];
  const starts = [];
  for (let start = 0; start < tokens - room && starts.length < windows.most; start += Math.min(windows.stride, room)) {
    starts.push(start);
  }
  if (starts.length < windows.most) starts.push(tokens - room);
  return starts.map((start) => [start, start + room]);
}

// The pairs of parts that the sequences hold, and how many different tokens these are.
function cut(a, b, budget, windows) {
  if (!b) {
    const found = spans(a.length, budget, windows);
    return { parts: found.map(([start, end]) => [a.slice(start, end), null]), read: found.at(-1)[1] };
  }
  const [first, second] = truncated(a.length, b.length, budget);
  if (a.length > b.length) {
    const found = spans(a.length, first, windows);
    return { parts: found.map(([start, end]) => [a.slice(start, end), b.slice(0, second)]), read: found.at(-1)[1] + second };
  }
  const found = spans(b.length, second, windows);
  return { parts: found.map(([start, end]) => [a.slice(0, first), b.slice(start, end)]), read: found.at(-1)[1] + first };
}
