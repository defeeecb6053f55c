// Draws the report from `data`, which mainstayctl wrote into the page: the answers to `cost` by hour, model, client and provider.
"use strict";

const usd = n => "$" + (Math.abs(n) >= 100 ? n.toFixed(0) : Math.abs(n) >= 1 ? n.toFixed(2) : n.toFixed(n === 0 ? 2 : 6));
const whole = n => n.toLocaleString("en-US");
const byId = id => document.getElementById(id);
const total = data.hour;
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
const colours = dark ? { cost: "#7db3ff", cache: "#6fd39a", batch: "#c7a6ff", rescued: "#6fd39a", lost: "#ff9a90", input: "#7db3ff", output: "#ffcf70" }
  : { cost: "#1f5fbf", cache: "#1b6e3c", batch: "#6b3fb0", rescued: "#1b6e3c", lost: "#a3261d", input: "#1f5fbf", output: "#8a5a00" };

function text(tag, words, parent, name) {
  const e = document.createElement(tag);
  e.textContent = words;
  if (name) e.className = name;
  parent.append(e);
  return e;
}

function cards() {
  const all = [[usd(total.usd), "calls cost"], [usd(total.saved_usd), "saved by the cache"], [usd(total.batch_usd), "saved by merging"],
    [whole(total.answered), "requests answered"], [whole(total.rescued), "of them rescued", "good"], [whole(total.lost), "requests lost", total.lost ? "bad" : ""]];
  for (const [value, what, name] of all) {
    const card = text("li", "", byId("cards"));
    text("b", value, card, name);
    text("span", what, card);
  }
}

function returns() {
  const value = Number(byId("value").value) || 0;
  const saved = total.saved_usd + total.batch_usd;
  const gain = total.rescued * value + saved - total.usd;
  const out = byId("return");
  out.textContent = (gain < 0 ? "−" : "") + usd(Math.abs(gain)) + (total.usd > 0 ? ", " + (100 * gain / total.usd).toFixed(0) + "% of the cost" : "");
  out.className = gain < 0 ? "bad" : "good";
  byId("formula").textContent = `${whole(total.rescued)} rescued requests × ${usd(value)} + ${usd(saved)} saved − ${usd(total.usd)} of calls. ` +
    `Lost requests would have been worth ${usd(total.lost * value)}; all answered ones were worth ${usd(total.answered * value)}.`;
}

// Hours where there are few of them, else days.
function overTime() {
  const rows = new Map();
  const hours = total.costs;
  const long = hours.length > 72;
  for (const h of hours) {
    const at = long ? h.hour.slice(0, 10) : h.hour;
    const row = rows.get(at) || { usd: 0, saved_usd: 0, batch_usd: 0, rescued: 0, lost: 0, input_tokens: 0, output_tokens: 0 };
    for (const k of Object.keys(row)) row[k] += h[k];
    rows.set(at, row);
  }
  return { labels: [...rows.keys()], rows: [...rows.values()] };
}

function bars(id, title, labels, sets, across) {
  byId(id).setAttribute("aria-label", title + ": " + labels.map((l, i) => l + " " + sets.map(s => s.label + " " + s.data[i]).join(", ")).join("; ").slice(0, 2000));
  new Chart(byId(id), {
    type: "bar",
    data: { labels, datasets: sets },
    options: {
      animation: false, maintainAspectRatio: false, indexAxis: across ? "y" : "x",
      plugins: { title: { display: true, text: title, color: ink }, legend: { display: sets.length > 1, labels: { color: ink } } },
      scales: { x: { stacked: true, ticks: { color: ink, maxRotation: 60 } }, y: { stacked: true, beginAtZero: true, ticks: { color: ink } } }
    }
  });
}

function set(label, colour, data) { return { label, data, backgroundColor: colour }; }

function plots() {
  const { labels, rows } = overTime();
  const of = key => rows.map(r => r[key]);
  bars("cost", "Cost, US dollars", labels, [set("cost", colours.cost, of("usd"))]);
  bars("saved", "Saved, US dollars", labels, [set("cache", colours.cache, of("saved_usd")), set("merged calls", colours.batch, of("batch_usd"))]);
  bars("requests", "Requests rescued and lost", labels, [set("rescued", colours.rescued, of("rescued")), set("lost", colours.lost, of("lost"))]);
  bars("tokens", "Tokens", labels, [set("in", colours.input, of("input_tokens")), set("out", colours.output, of("output_tokens"))]);
  for (const by of ["model", "client", "provider"]) {
    const groups = data[by].costs.filter(g => g.usd > 0).slice(0, 12);
    bars(by, "Cost by " + by + ", US dollars", groups.map(g => g[by]), [set("cost", colours.cost, groups.map(g => g.usd))], true);
  }
}

function table() {
  const columns = [["usd", "cost"], ["saved_usd", "saved by cache"], ["batch_usd", "saved by merging"], ["calls", "calls"], ["answered", "answered"], ["rescued", "rescued"],
    ["lost", "lost"], ["input_tokens", "tokens in"], ["output_tokens", "tokens out"], ["cached_tokens", "cached"]];
  const head = byId("table").createTHead().insertRow();
  for (const name of ["whose", ...columns.map(c => c[1])]) text("th", name, head).scope = "col";
  const body = byId("table").createTBody();
  for (const by of ["model", "client", "provider"])
    for (const group of data[by].costs) {
      const row = body.insertRow();
      text("td", by + " " + group[by], row);
      for (const [key] of columns) text("td", key.endsWith("usd") ? usd(group[key]) : whole(group[key]), row);
    }
}

byId("period").textContent = `Node ${data.node}, ${data.days} day${data.days === 1 ? "" : "s"} up to ${data.made}.`;
if (total.prices) byId("warning").textContent = "No prices are configured: costs are not known.";
else if (total.unpriced_calls > 0) byId("warning").textContent = `${whole(total.unpriced_calls)} of ${whole(total.calls)} calls went to models whose price is not known: they cost more than this.`;
byId("value").value = data.value_per_call;
byId("value").addEventListener("input", returns);
cards();
returns();
plots();
table();
document.documentElement.dataset.drawn = "yes";
