// Answer what the page asks by the model in this folder, inside the browser. `window.albert` is the model.

import { load } from "./albert.js";

export const PROMISE = { text: "The model runs in this browser: texts are not sent anywhere." };

const loading = load(new URL("../", import.meta.url));
loading.catch(() => {}); // told by every answer

export async function send(path, body) {
  let model;
  try {
    model = window.albert = await loading;
  } catch (error) {
    throw new Error(`The model cannot be loaded (${error.message}). Serve this folder over HTTP and reload the page.`);
  }
  const texts = body && [body.pair ? { text: body.text, pair: body.pair } : body.text];
  switch (path) {
    case "model": return model.description;
    case "classify": return { results: await model.classify(texts) };
    case "compare": return { results: [await model.compare(body.text, body.pair)] };
    case "tokenize": return { results: [model.tokenize(body.text)] };
    default: throw new Error(`this page does not offer ${path}`);
  }
}
