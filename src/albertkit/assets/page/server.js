// Send what the page asks to the server that it came from.

export const PROMISE = {
  text: "Texts are sent only to this server, which does not store them.",
  link: { href: "openapi.json", text: "API reference" },
};

export async function send(path, body, key) {
  const headers = key ? { "X-API-Key": key } : {};
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  } catch {
    throw Object.assign(new Error("The server cannot be reached; is it running?"), { status: 0 });
  }
  let found = null;
  try { found = await response.json(); } catch { /* a proxy's page */ }
  if (response.ok && found) return found;
  const sentence = found?.error?.message ?? `The server answered ${response.status}.`;
  throw Object.assign(new Error(sentence[0].toUpperCase() + sentence.slice(1)), { status: response.status });
}
