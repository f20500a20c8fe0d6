"use strict";

const $ = id => document.getElementById(id);
let models = [];
let picture = null;   // a data URL
let sample = null;    // that the picture is from
let asking = 0;       // number of the question that is being asked

// element makes an element with a class, text and children; nothing is ever read as HTML.
function element(name, className, ...inside) {
  const e = document.createElement(name);
  if (className) e.className = className;
  e.append(...inside);
  return e;
}

function complain(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

// call asks the server, with the token where it needs one; its own words are the error.
async function call(path, body) {
  const headers = {};
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = "Bearer " + token;
  if (body) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (answer.ok) return answer;
  let text = answer.status + " " + answer.statusText;
  try {
    text = (await answer.json()).error.message;
  } catch { /* not ours */ }
  if (answer.status === 401) $("locked").hidden = false;
  throw new Error(text);
}

const asDataURL = blob => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result);
  reader.onerror = () => failed(new Error("The file cannot be read."));
  reader.readAsDataURL(blob);
});

async function take(blob, from) {
  complain("");
  try {
    picture = await asDataURL(blob);
  } catch (e) {
    return complain(e.message);
  }
  sample = from || null;
  $("picture").src = picture;
  $("picture").alt = from ? from.name : blob.name || "the pasted picture";
  $("picture").hidden = false;
  $("hint").textContent = "Drop, paste or choose another";
  $("drop").classList.add("full");
  for (const b of $("sample-list").children) b.setAttribute("aria-pressed", String(sample !== null && b.sample === sample));
  $("suggestions").replaceChildren(...(sample ? sample.questions : []).map(q => {
    const b = element("button", "", q.question);
    b.type = "button";
    b.onclick = () => { $("question").value = q.question; ask(); };
    return b;
  }));
}

// plain is how the program compares answers: letters' case, spaces and a last full stop do not count.
const plain = text => {
  const all = text.normalize("NFC").toLowerCase().replace(/\s+/g, " ").trim();
  return all.replace(/[.,;:!?…。！？，、；： ]+$/, "") || all;
};

function expected(question) {
  const q = sample && sample.questions.find(q => q.question === question);
  return q && q.answers.length ? q.answers : null;
}

const percent = p => (p >= .9995 ? 100 : (100 * p).toPrecision(p < .1 ? 2 : 3)) + " %";
const time = ms => ms < 1000 ? ms.toPrecision(ms < 100 ? 2 : 3) + " ms" : (ms / 1000).toPrecision(3) + " s";
const count = n => n >= 1e9 ? (n / 1e9).toPrecision(3) + " billion" : n >= 1e6 ? (n / 1e6).toPrecision(3) + " million" : n.toLocaleString("en");

// bar shows a share. The number beside it says the same.
function bar(share) {
  const filled = element("div", "filled");
  filled.style.width = 100 * Math.min(1, share) + "%";
  const b = element("div", "bar", filled);
  b.setAttribute("aria-hidden", "true");
  return b;
}

function cardHead(m) {
  return element("h3", "", m.id, element("small", "", count(m.espalier.parameters) + " parameters"));
}

// card shows what a model said, beside the slowest and the surest of all.
function card(m, got, slowest) {
  const c = element("article", "", cardHead(m));
  if (!got) {
    c.append(element("p", "said none", "asking …"));
    return c;
  }
  if (got.error) {
    c.append(element("p", "said bad", got.error));
    return c;
  }
  c.append(element("p", "said", got.text || "(an empty answer)"));
  if (got.right !== null) c.append(element("p", "judged", got.right ? "✓ as the data say" : "✗ the data say: " + got.expected.join(", or ")));
  if (got.cut) c.append(element("p", "judged", "… cut off: an answer may have no more tokens"));
  c.append(element("dl", "",
    element("dt", "", "Confidence"), element("dd", "bars", bar(got.confidence)), element("dd", "", percent(got.confidence)),
    element("dt", "", "Latency"), element("dd", "bars", bar(slowest ? got.ms / slowest : 0)), element("dd", "", time(got.ms))));
  return c;
}

function show(results) {
  const slowest = Math.max(0, ...results.filter(r => r && !r.error).map(r => r.ms));
  $("answers").replaceChildren(...models.map((m, i) => card(m, results[i], slowest)));
}

async function askOne(m, question) {
  const content = [{ type: "text", text: question }];
  if (m.espalier.pictures) content.push({ type: "image_url", image_url: { url: picture } });
  try {
    const answer = await (await call("v1/chat/completions", { model: m.id, messages: [{ role: "user", content }] })).json();
    const text = answer.choices[0].message.content, want = m.espalier.pictures ? expected(question) : null;
    return {
      text, confidence: answer.espalier.confidence, ms: answer.espalier.compute_ms, cut: answer.choices[0].finish_reason === "length",
      expected: want, right: want && want.some(w => plain(w) === plain(text)),
    };
  } catch (e) {
    return { error: e.message };
  }
}

async function ask() {
  const question = $("question").value;
  if (!question.trim()) return $("question").focus();
  if (!picture && models.some(m => m.espalier.pictures)) return complain("Choose a picture first: drop one, paste one, or take a sample.");
  complain("");
  const number = ++asking, results = models.map(() => null), thumb = picture;
  $("ask").disabled = true;
  show(results);
  $("answers").scrollIntoView({ block: "nearest" });
  await Promise.all(models.map(async (m, i) => {
    results[i] = await askOne(m, question);
    if (number === asking) show(results);
  }));
  if (number !== asking) return;
  $("ask").disabled = false;
  remember(thumb, question, results);
}

function remember(thumb, question, results) {
  const row = element("tr"), first = element("td");
  if (thumb && models.some(m => m.espalier.pictures)) {
    const img = element("img");
    img.src = thumb;
    img.alt = $("picture").alt;
    first.append(img);
  }
  row.append(first, element("td", "", question), ...results.map((r, i) => {
    const cell = element("td"), mark = r.right === null ? "" : r.right ? "✓ " : "✗ ";
    cell.dataset.model = models[i].id;
    if (r.error) cell.append("no answer"); else cell.append(mark + r.text + " ", element("small", "", percent(r.confidence) + ", " + time(r.ms)));
    return cell;
  }));
  $("history-rows").prepend(row);
  while ($("history-rows").children.length > 50) $("history-rows").lastChild.remove();
  $("history").hidden = false;
}

async function showSamples() {
  const { samples, note } = await (await call("samples")).json();
  const buttons = await Promise.all(samples.map(async (s, i) => {
    const blob = await (await call("." + s.picture)).blob(), img = element("img"), b = element("button", "", img);
    s.name = "sample " + (i + 1);
    img.src = URL.createObjectURL(blob);
    img.alt = s.name;
    b.type = "button";
    b.sample = s;
    b.setAttribute("aria-pressed", "false");
    b.onclick = () => take(blob, s);
    return b;
  }));
  $("sample-list").replaceChildren(...buttons);
  $("samples").hidden = buttons.length === 0;
  if (note) complain(note);
}

async function begin() {
  $("base").textContent = new URL("v1", location.href).href;
  try {
    models = (await (await call("v1/models")).json()).data;
  } catch (e) {
    $("about").textContent = "";
    return complain(e.message);
  }
  $("locked").hidden = true;
  complain("");
  const seeing = models.some(m => m.espalier.pictures);
  $("picture-part").hidden = !seeing;
  $("form").classList.toggle("blind", !seeing);
  $("about").textContent = (models.length === 1 ? "One model answers" : models.length + " models answer side by side") + (seeing ? ", each about the same picture." : ".");
  $("answers").replaceChildren(...models.map(m => element("article", "", cardHead(m), element("p", "said none", "No question yet."))));
  $("history-head").replaceChildren(element("th", "", "Picture"), element("th", "", "Question"), ...models.map(m => element("th", "", m.id)));
  if (seeing) await showSamples().catch(e => complain(e.message));
}

$("form").addEventListener("submit", e => { e.preventDefault(); ask(); });
$("file").addEventListener("change", () => { if ($("file").files[0]) take($("file").files[0]); $("file").value = ""; });
$("token").addEventListener("change", () => { sessionStorage.setItem("token", $("token").value); begin(); });
document.addEventListener("paste", e => {
  const file = [...e.clipboardData.files].find(f => f.type.startsWith("image/"));
  if (file) { e.preventDefault(); take(file); }
});
document.addEventListener("dragover", e => { e.preventDefault(); $("drop").classList.add("over"); });
document.addEventListener("dragleave", e => { if (!e.relatedTarget) $("drop").classList.remove("over"); });
document.addEventListener("drop", e => {
  e.preventDefault();
  $("drop").classList.remove("over");
  const file = [...e.dataTransfer.files].find(f => f.type.startsWith("image/"));
  if (file) take(file); else complain("That is no picture.");
});
begin();
