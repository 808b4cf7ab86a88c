// Shows /openapi.json: services, their methods, and a form for each that asks this very server.
const find = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const [description, index] = await Promise.all(
  ["/openapi.json", "/"].map(async (url) => (await fetch(url, { headers: { accept: "application/json" } })).json()),
).catch((error) => {
  find("services").replaceChildren(make("p", { className: "status", textContent: `This server does not answer: ${error}` }));
  throw error;
});
find("chain").textContent = `${index.chain_id} · block ${Number(index.height).toLocaleString("en")}`;

const services = new Map();
for (const [path, verbs] of Object.entries(description.paths)) {
  for (const [verb, operation] of Object.entries(verbs)) {
    const name = operation.tags[0];
    if (!services.has(name)) services.set(name, []);
    services.get(name).push({ path, verb, operation });
  }
}
// Ours first, then the graph's, then what every Cosmos chain has.
const order = (name) => ["cyberd.", "cyber.", ""].findIndex((start) => name.startsWith(start));
const names = [...services.keys()].sort((a, b) => order(a) - order(b) || a.localeCompare(b));
const rows = [];
find("services").replaceChildren(
  ...names.map((name) => {
    const section = make("section", {}, make("h2", { textContent: `${name} ` }));
    const own = services.get(name).map((entry) => {
      const element = row(entry);
      const text = `${name} ${entry.path} ${entry.operation["x-grpc"]} ${entry.operation.summary}`;
      rows.push({ element, section, text: text.toLowerCase() });
      return element;
    });
    section.append(...own);
    return section;
  }),
);

function row({ path, verb, operation }) {
  const element = find("operation").content.firstElementChild.cloneNode(true);
  const part = (name) => element.querySelector(`.${name}`);
  part("verb").textContent = verb.toUpperCase();
  part("verb").classList.add(verb);
  const pieces = path.split(/(\{[^}]+\})/).map((piece) =>
    piece.startsWith("{") ? make("i", { textContent: piece }) : piece,
  );
  part("path").append(...pieces);
  part("words").textContent = operation.summary;
  part("grpc").textContent = `gRPC: ${operation["x-grpc"]}`;
  // Forms are made when they are looked at.
  element.addEventListener("toggle", () => fill(element, path, verb, operation), { once: true });
  return element;
}

function fill(element, path, verb, operation) {
  const part = (name) => element.querySelector(`.${name}`);
  const inputs = operation.parameters.map((parameter) => {
    const { name, schema } = parameter;
    const of = schema.items ?? schema;
    const kind = of.enum?.join(", ") ?? (of.type === "integer" ? "number" : of.format ?? "text");
    const label = make("label", {}, make("span", { textContent: name, className: parameter.required ? "must" : "" }));
    label.append(make("small", { textContent: schema.items ? `${kind}, several with spaces` : kind }));
    const input = make("input", { name, required: Boolean(parameter.required), autocomplete: "off" });
    input.id = label.htmlFor = `${operation.operationId}-${name}`;
    part("fields").append(label, input);
    return { parameter, input };
  });
  let body;
  if (operation.requestBody) {
    const schema = operation.requestBody.content["application/json"].schema.$ref.split("/").pop();
    const properties = Object.entries(description.components.schemas[schema].properties);
    const simple = properties.filter(([, of]) => of.type === "string").map(([name]) => [name, ""]);
    body = make("textarea", { value: JSON.stringify(Object.fromEntries(simple), null, 2), spellcheck: false });
    body.setAttribute("aria-label", "Body");
    part("fields").append(make("label", { textContent: "body" }), body);
  }
  const url = () => {
    const query = new URLSearchParams();
    let own = path;
    for (const { parameter, input } of inputs) {
      const text = input.value.trim();
      if (parameter.in === "path") own = own.replace(`{${parameter.name}}`, encodeURIComponent(text) || `{${parameter.name}}`);
      else if (text) (parameter.schema.items ? text.split(/\s+/) : [text]).forEach((one) => query.append(parameter.name, one));
    }
    return query.size ? `${own}?${query}` : own;
  };
  const show = () => (part("url").textContent = url());
  element.addEventListener("input", show);
  show();
  element.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const streams = "text/event-stream" in operation.responses[200].content;
    if (streams) watch(part, url());
    else ask(part, url(), verb, body?.value);
  });
}

async function ask(part, url, verb, body) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const height = find("height").value.trim();
  if (height) headers["x-cosmos-block-height"] = height;
  const begin = performance.now();
  try {
    const response = await fetch(url, { method: verb.toUpperCase(), headers, body });
    const text = await response.text();
    const took = (performance.now() - begin).toFixed(1);
    const at = response.headers.get("x-cosmos-block-height");
    say(part, response.status, ` ${at ? `at block ${at}, ` : ""}${took} ms, ${text.length.toLocaleString("en")} bytes`, response.ok);
    part("answer").textContent = pretty(text);
  } catch (error) {
    say(part, "No answer", ` ${error.message}`, false);
    part("answer").textContent = "";
  }
  part("answer").hidden = !part("answer").textContent;
}

function watch(part, url) {
  part("stop").click();
  const source = new EventSource(url);
  let count = 0;
  part("answer").hidden = false;
  part("answer").textContent = "";
  part("stop").hidden = false;
  say(part, "Open", " waiting for events", true);
  for (const kind of ["link", "round", "heartbeat", "error"]) {
    source.addEventListener(kind, ({ data, lastEventId }) => {
      if (!data) return say(part, "Closed", " the browser tries again", false);
      count += 1;
      say(part, "Open", ` ${count} events, the last ${lastEventId}`, true);
      part("answer").textContent = `${kind} ${data}\n${part("answer").textContent}`.slice(0, 50_000);
    });
  }
  part("stop").onclick = () => {
    source.close();
    part("stop").hidden = true;
    say(part, "Closed", ` after ${count} events`, true);
  };
}

function say(part, word, rest, good) {
  part("status").replaceChildren(make("b", { textContent: word, className: good ? "" : "bad" }), rest);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function filter() {
  const words = find("search").value.toLowerCase().split(/\s+/);
  let shown = 0;
  const sections = new Set();
  for (const { element, section, text } of rows) {
    const fits = words.every((word) => text.includes(word));
    element.hidden = !fits;
    shown += fits;
    if (fits) sections.add(section);
  }
  for (const { section } of rows) section.hidden = !sections.has(section);
  find("count").textContent = shown === rows.length ? `${shown} methods` : `${shown} of ${rows.length} methods`;
}
find("search").addEventListener("input", filter);
filter();
// A link such as /api#search opens what it names.
if (location.hash) {
  find("search").value = decodeURIComponent(location.hash.slice(1));
  filter();
  const first = rows.filter(({ element }) => !element.hidden);
  if (first.length === 1) first[0].element.open = true;
}
