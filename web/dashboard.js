// The dashboard: draws the overviews that the node sends each second. Whatever has a name may be called anything, so text
// goes into the page as text alone, never as markup.

const WINDOW = 300; // seconds that the charts show
const STALE = 5; // seconds without news, after which the page says so
const SOURCES = ['primary', 'backup', 'fallback', 'cache', 'stale', 'similar', 'canned', 'failed'];
const COLOURS = { // of sources; apart from each other for colour-blind eyes too (Okabe and Ito)
  light: { primary: '#0072b2', backup: '#56b4e9', fallback: '#e69f00', cache: '#009e73', stale: '#8fc7b4', similar: '#cc79a7', canned: '#7a6a00', failed: '#b3141f' },
  dark: { primary: '#3f9fdc', backup: '#8fd0f5', fallback: '#f0b429', cache: '#2cc295', stale: '#a9dccb', similar: '#e39cc3', canned: '#c9b83a', failed: '#ff6b68' },
};

const $ = id => document.getElementById(id);
const cells = new Map(); // second -> what happened in it
let last = null; // the latest overview
let heard = 0; // when it came
let lost = 0; // since when there is no connection; 0: there is one
let restarted = 0; // when another process answered
let fresh = true; // nothing has come over this connection yet
let refusal = ''; // why the node sends nothing

// -- words

const count = n => n == null ? '–' : n >= 1e9 ? `${(n / 1e9).toFixed(1)} G` : n >= 1e6 ? `${(n / 1e6).toFixed(1)} M` : n >= 1e4 ? `${(n / 1e3).toFixed(1)} k` : String(Math.round(n));
const percent = x => x == null ? '–' : `${(100 * x).toFixed(x > 0 && x < 0.1 || x > 0.99 && x < 1 ? 1 : 0)}%`;
// Success is never rounded up to all.
const success = x => x == null ? '–' : `${(Math.floor(1e4 * x + 1e-6) / 100).toFixed(x === 1 ? 0 : 2)}%`;
const took = s => !s ? '–' : s < 0.001 ? `${Math.round(s * 1e6)} µs` : s < 1 ? `${(s * 1e3).toPrecision(s < 0.1 ? 2 : 3)} ms` : `${s.toFixed(2)} s`;
const usd = x => x == null ? '–' : x === 0 ? '$0' : x < 0.01 ? `$${x.toFixed(5)}` : `$${x.toFixed(2)}`;
const bytes = n => n == null ? '–' : n >= 1 << 30 ? `${(n / (1 << 30)).toFixed(1)} GiB` : n >= 1 << 20 ? `${(n / (1 << 20)).toFixed(1)} MiB` : `${(n / 1024).toFixed(0)} KiB`;
const clock = at => new Date(at * 1000).toLocaleTimeString([], { hour12: false });
const plain = word => word.replaceAll('_', ' ');
function span(s) {
  s = Math.round(s);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}
// One argument of a shell's command line.
const word = s => /^[\w.\/:@-]+$/.test(s) ? s : `'${s.replaceAll("'", "'\\''")}'`;

// -- the page's parts

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function mark(node, name, value) {
  if (value == null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// As many children as things; those that are there already are kept, so that nothing that is selected or read aloud goes away.
function match(parent, tag, things, draw) {
  while (parent.childElementCount > things.length) parent.lastElementChild.remove();
  while (parent.childElementCount < things.length) parent.append(document.createElement(tag));
  things.forEach((thing, i) => draw(parent.children[i], thing));
}

// Pieces of a cell: text, {badge, level} or {bar, text, level, label}.
function pieces(parent, all) {
  const kinds = all.map(p => typeof p === 'string' ? 'text' : p.badge != null ? 'badge' : p.code != null ? 'code' : p.strong != null ? 'strong' : 'bar').join();
  if (parent.dataset.kinds !== kinds) {
    parent.dataset.kinds = kinds;
    parent.replaceChildren(...all.map(p => {
      if (typeof p === 'string') return document.createElement('span');
      if (p.code != null) return document.createElement('code');
      if (p.strong != null) return document.createElement('strong');
      const outer = document.createElement('span');
      outer.className = p.badge != null ? 'badge' : 'bar';
      if (p.bar != null) {
        const track = document.createElement('i');
        track.append(document.createElement('b'));
        track.setAttribute('role', 'meter');
        track.setAttribute('aria-valuemin', '0');
        track.setAttribute('aria-valuemax', '100');
        outer.append(track, document.createElement('span'));
      }
      return outer;
    }));
  }
  all.forEach((p, i) => {
    const node = parent.children[i];
    if (typeof p === 'string') return put(node, p);
    if (p.code != null) return put(node, p.code);
    if (p.strong != null) return put(node, p.strong);
    mark(node, 'data-level', p.level ?? (p.badge != null ? 'idle' : null));
    if (p.badge != null) return put(node, p.badge);
    const [track, text] = node.children, full = Math.round(100 * Math.min(1, Math.max(0, p.bar)));
    mark(track, 'aria-valuenow', String(full));
    mark(track, 'aria-label', p.label);
    track.firstElementChild.style.width = `${full}%`;
    put(text, p.text ?? `${full}%`);
  });
}

// columns: [title, how: 'right' and 'wide' in any order]; the first of a row is its heading.
function table(id, columns, rows, nothing = 'None.') {
  const t = $(id);
  if (!t.tHead) {
    const row = t.createTHead().insertRow();
    for (const [title, how] of columns) {
      const th = document.createElement('th');
      th.scope = 'col';
      th.textContent = title;
      th.className = how ?? '';
      row.append(th);
    }
    t.createTBody();
  }
  const body = t.tBodies[0], key = rows.length ? 'rows' : 'none';
  if (body.dataset.key !== key) body.replaceChildren();
  body.dataset.key = key;
  if (!rows.length) {
    match(body, 'tr', [nothing], (tr, text) => match(tr, 'td', [text], (td, words) => {
      td.colSpan = columns.length;
      td.className = 'empty';
      put(td, words);
    }));
    return;
  }
  match(body, 'tr', rows, (tr, row) => {
    if (!tr.childElementCount)
      row.forEach((_, i) => {
        const cell = document.createElement(i ? 'td' : 'th');
        if (!i) cell.scope = 'row';
        cell.className = columns[i][1] ?? '';
        tr.append(cell);
      });
    row.forEach((cell, i) => Array.isArray(cell) ? pieces(tr.children[i], cell) : typeof cell === 'object' ? pieces(tr.children[i], [cell]) : put(tr.children[i], String(cell)));
  });
}

const fullness = used => used >= 1 ? 'bad' : used >= 0.8 ? 'warn' : undefined;
const limits = (whose, all) => all.length ? all.map(l => ({ bar: l.used, text: `${l.kind} ${percent(l.used)}`, level: fullness(l.used), label: `${whose}, ${l.kind} used` })) : '–';

// -- what is wrong, why, and what helps

const ALERTS = {
  all_targets_down: ['A model has no provider left', 'mainstayctl breakers'],
  breaker_open: ['A provider is left alone for now', 'mainstayctl breakers'],
  audit_failing: ['The audit cannot be written', 'df -h'],
  budget: ['A client has spent most of its daily budget, or all of it', 'mainstayctl cost --by client'],
  forecast_high: ['The load that comes is high', 'mainstayctl forecast'],
  journal_full: ['The journal is nearly full', 'mainstayctl journal'],
  latency_p99: ['Requests are slow', 'mainstayctl top'],
  rate_limited: ['Providers turn many calls away (429)', 'mainstayctl limits'],
  redis_down: ['Redis does not answer', 'mainstayctl cache'],
  retry_rate: ['Many requests are tried again', 'mainstayctl metrics'],
  server_error: ['Many calls fail at the providers', 'mainstayctl breakers'],
  success_rate: ['Callers get errors', 'mainstayctl metrics'],
};
const alertWords = a => ALERTS[a.signal] ?? [plain(a.signal), 'mainstayctl alerts'];

// Worst first: {level, what, why, command}.
function troubles(o) {
  const out = [], say = (level, what, why, command) => out.push({ level, what, why, command });
  const told = new Set(); // alerts that something else explains
  if (o.drill) say('warn', `The drill ${[plain(o.drill.name), o.drill.whom].filter(Boolean).join(' ')} is going on`, `things are broken on purpose; over in ${span(o.drill.seconds_left)}`, 'mainstayctl drill stop');
  if (o.state === 'draining') say('warn', 'The node is ending', `${o.in_flight} requests are being finished, new ones are refused`, 'mainstayctl status');
  else if (o.state !== 'ready') say('bad', `The node is ${plain(o.state)}`, 'its dispatcher does not answer', 'mainstayctl actors');
  const down = o.models.filter(m => m.state === 'down');
  if (down.length) say('bad', `No provider is left for ${down.map(m => m.name).join(', ')}`, 'callers wait or get an error until one answers again', 'mainstayctl models');
  else if (o.models_down) say('bad', `${o.models_down} models have no provider left`, 'callers wait or get an error until one answers again', 'mainstayctl models');
  for (const p of o.providers) {
    const open = p.circuits.filter(c => c.state === 'open');
    for (const c of open) {
      const whom = c.model ? `${p.name}'s model ${c.model}` : `Provider ${p.name}`;
      if (c.forced) say('warn', `${whom} is held open by hand`, 'nobody is asked there', `mainstayctl breakers ${word(p.name)} auto`);
      else say('bad', `${whom} is left alone`, `${c.failures} failures in a row; it is tried again in ${span(c.seconds_left)}`, `mainstayctl breakers ${word(p.name)} auto`);
    }
    if (!open.length && p.state === 'open') say('bad', `Provider ${p.name} is left alone`, 'its calls failed', `mainstayctl breakers ${word(p.name)} auto`);
  }
  for (const k of o.keys) {
    if (k.state === 'disabled') say('bad', `Key ${k.name} is disabled`, k.why ? plain(k.why) : 'by hand', `mainstayctl keys ${word(k.name)} enable`);
    else if (k.state === 'resting') say('warn', `Key ${k.name} rests for ${span(k.seconds_left)}`, plain(k.why || 'after a failure'), 'mainstayctl keys');
  }
  for (const c of o.clients) {
    const spent = `${usd(c.usd_today)} of ${usd(c.daily_usd)} today`;
    if (c.daily_usd == null || c.usd_today < 0.8 * c.daily_usd) continue;
    if (c.usd_today >= c.daily_usd) say('warn', `Client ${c.name} has spent its budget`, `${spent}; refused until midnight UTC`, 'mainstayctl cost --by client');
    else say('warn', `Client ${c.name} has nearly spent its budget`, spent, 'mainstayctl cost --by client');
    told.add('budget');
  }
  const dead = o.cache?.tiers.filter(t => t.state === 'down') ?? [];
  for (const t of dead) say('warn', `The cache's ${t.name} does not answer`, 'answers are kept without it', 'mainstayctl cache');
  if (o.journal?.failing) say('bad', 'The journal cannot be written', 'durable requests are refused', 'mainstayctl journal');
  else if (o.journal?.used >= 0.8) say('warn', `The journal is ${percent(o.journal.used)} full`, 'when it is full, durable requests are refused', 'mainstayctl journal');
  if (o.actors.up < o.actors.of) say('bad', `${o.actors.of - o.actors.up} of ${o.actors.of} actors are down`, 'they are being restarted', 'mainstayctl actors');
  if (o.journal?.used >= 0.8) told.add('journal_full');
  if (out.some(t => t.level === 'bad' && o.providers.some(p => p.state === 'open'))) told.add('breaker_open');
  if (down.length || o.models_down) told.add('all_targets_down');
  if (dead.some(t => t.name === 'redis')) told.add('redis_down');
  for (const a of o.alerts)
    if (!told.has(a.signal)) {
      const [what, command] = alertWords(a);
      say(a.severity === 'critical' ? 'bad' : 'warn', what, `${value(a.signal, a.value)}, threshold ${value(a.signal, a.threshold)}`, command);
    }
  const rank = { bad: 0, warn: 1 };
  return out.sort((a, b) => rank[a.level] - rank[b.level]);
}

const value = (signal, x) => signal === 'latency_p99' ? took(x) : /rate|error|limited|journal|budget/.test(signal) ? percent(x) : count(x);

function drawBanner() {
  const silent = (Date.now() - heard) / 1000;
  let all = last ? troubles(last) : [], head = 'Waiting for the node', level = 'idle';
  if (lost || refusal || heard && silent > STALE) {
    all = [];
    level = 'bad';
    head = refusal || (lost ? 'The node does not answer' : `No news for ${span(silent)}`);
    const before = last?.state === 'draining' ? 'it was ending; ' : '';
    all.push({ level, what: lost ? 'No connection' : 'No overview came', why: `${before}this page goes on asking; what is below is from ${heard ? clock(heard / 1000) : 'no time yet'}`, command: 'mainstayctl status' });
  } else if (last) {
    level = all.length ? all[0].level : 'good';
    const bad = all.filter(t => t.level === 'bad').length;
    head = !all.length ? 'All is well' : bad ? (last.five_minutes.success >= 0.999 || !last.five_minutes.requests ? 'Something is broken; callers are still served' : 'Something is broken') : 'Something needs a look';
  }
  mark($('banner'), 'data-level', level);
  put($('verdict'), head);
  match($('troubles'), 'li', all, (li, t) => {
    mark(li, 'data-level', t.level);
    pieces(li, [{ strong: t.what }, `: ${t.why}. `, { code: t.command }]);
  });
  const back = restarted && Date.now() - restarted < 60000;
  mark($('connection'), 'data-level', lost || refusal ? 'bad' : !heard ? 'idle' : silent > STALE ? 'warn' : 'good');
  put($('connection'), lost ? 'connecting again' : refusal ? 'no stream' : !heard ? 'connecting' : silent > STALE ? `no news for ${span(silent)}` : back ? `live; the node was restarted at ${clock(restarted / 1000)}` : 'live');
}

// A beginning in place of a duration, and always the same one: what does not change is not read aloud again.
const begun = new Map(); // by alert
function beginning(o, a) {
  const name = `${a.severity} ${a.signal}`, at = o.time - a.seconds;
  if (!(Math.abs(begun.get(name) - at) < 3)) begun.set(name, at);
  return clock(begun.get(name));
}

function drawAlerts(o) {
  match($('alerts'), 'li', o.alerts.length ? o.alerts : [null], (li, a) => {
    if (!a) return pieces(li, [{ badge: 'none', level: 'good' }]);
    pieces(li, [{ badge: a.severity, level: a.severity === 'critical' ? 'bad' : 'warn' }, ` ${alertWords(a)[0]} (${plain(a.signal)}), since ${beginning(o, a)}`]);
  });
}

// -- numbers and tables

function drawNumbers(o) {
  const f = o.five_minutes, c = o.cache, asked = c ? c.hits + c.misses : 0, queued = o.waiting.high + o.waiting.normal + o.waiting.low;
  const all = [
    ['Requests a second', (o.requests_per_second ?? 0).toFixed(1), `${count(f.requests)} in five minutes`],
    ['Answered', success(f.requests ? f.success : null), `${percent(f.retried)} tried again`, !f.requests ? undefined : f.success < 0.99 ? 'bad' : f.success < 0.999 ? 'warn' : 'good'],
    ['Request, p50', took(f.request.p50), `p99 ${took(f.request.p99)}`],
    ['First token, p50', took(f.first_token.p50), `p99 ${took(f.first_token.p99)}`],
    ['In flight', count(o.in_flight), `${count(queued)} wait for capacity`, queued ? 'warn' : undefined],
    ['From the cache', percent(asked ? c.hits / asked : null), c?.enabled ? `${count(c.hits)} of ${count(asked)}` : 'no cache'],
    ['Cost today', o.cost.priced ? usd(o.cost.usd_today) : '–', o.cost.priced ? `${usd(o.cost.saved_usd_today)} saved` : 'no price list'],
    ['Tokens a second', count(o.second?.tokens ?? 0), `${count(o.forecast.now)} a minute`],
  ];
  match($('numbers'), 'div', all, (div, [name, figure, more, level]) => {
    if (!div.childElementCount) {
      div.append(document.createElement('dt'), document.createElement('dd'), document.createElement('dd'));
      div.lastElementChild.className = 'more';
    }
    put(div.children[0], name);
    put(div.children[1], figure);
    mark(div.children[1], 'data-level', level);
    put(div.children[2], more);
  });
}

const STANDING = { closed: 'good', usable: 'good', up: 'good', 'half-open': 'warn', half_open: 'warn', resting: 'warn', ramping: 'warn', recovering: 'warn', ready: 'good', open: 'bad', disabled: 'bad', down: 'bad' };
const badge = state => ({ badge: plain(state), level: STANDING[state] ?? 'idle' });

function drawTables(o) {
  table('providers', [['Provider'], ['Breaker'], ['Calls open'], ['Calls', 'right'], ['Failed', 'right'], ['Circuits that are not closed', 'wide']],
    o.providers.map(p => [p.name, badge(p.state),
      p.slots ? { bar: p.slots_used / p.slots, text: `${p.slots_used} of ${p.slots}`, level: fullness(p.slots_used / p.slots), label: `${p.name}, slots used` } : String(p.open_calls),
      count(p.calls), p.calls ? `${count(p.failed_calls)} (${percent(p.failed_calls / p.calls)})` : '0',
      p.circuits.map(c => `${c.model || 'endpoint'} ${plain(c.state)}${c.forced ? ' (by hand)' : c.state === 'open' ? `, ${span(c.seconds_left)}` : ''}`).join('; ') || '–']));
  table('keys', [['Key'], ['State', 'wrap'], ['Health'], ['Limits used'], ['Provider', 'wide']],
    o.keys.map(k => [k.name, [badge(k.state), k.state === 'usable' ? '' : ` ${plain(k.why) || 'by hand'}${k.seconds_left ? `, ${span(k.seconds_left)}` : ''}`], { bar: k.health, level: k.health < 0.5 ? 'bad' : k.health < 0.9 ? 'warn' : undefined, label: `${k.name}, health` },
      limits(k.name, k.limits), k.provider]));
  const f = o.five_minutes;
  table('percentiles', [['What'], ['p50', 'right'], ['p90', 'right'], ['p99', 'right'], ['p99.9', 'right']],
    [['Request', f.request], ['First token', f.first_token], ['Between tokens', f.between_tokens], ["Mainstay's own", f.overhead]].map(([what, p]) => [what, took(p.p50), took(p.p90), took(p.p99), took(p.p999)]));
  const most = Math.max(10, o.waiting.high + o.waiting.normal + o.waiting.low);
  const load = o.forecast, highest = Math.max(1, load.now, load.in_5m, load.in_15m, load.in_60m);
  table('queue', [['What'], ['How much']], [
    ...['high', 'normal', 'low'].map(l => [`Waiting, ${l} priority`, { bar: o.waiting[l] / most, text: count(o.waiting[l]), level: o.waiting[l] ? 'warn' : undefined, label: `waiting, ${l} priority, of all that wait` }]),
    ...(o.journal ? [['Durable requests', `${count(o.journal.waiting)} without an answer`], ['Journal', { bar: o.journal.used, level: fullness(o.journal.used), label: 'journal used' }]] : []),
    ...[['Load now', load.now], ['in 5 min', load.in_5m], ['in 15 min', load.in_15m], ['in an hour', load.in_60m]].map(([what, n]) => [what, { bar: n / highest, text: `${count(n)} tokens/min`, label: `load ${what}, of the highest` }]),
    ['Load level', { badge: load.level, level: { low: 'good', medium: 'warn', high: 'bad' }[load.level] }],
    ['Actors', { badge: `${o.actors.up} of ${o.actors.of} up, ${count(o.actors.restarts)} restarts`, level: o.actors.up < o.actors.of ? 'bad' : 'good' }],
  ]);
  table('cache', [['Tier'], ['State'], ['Hits', 'right'], ['Entries', 'right'], ['Size', 'right']],
    (o.cache?.enabled ? o.cache.tiers : []).map(t => [t.name, badge(t.state), count(t.hits), count(t.entries), bytes(t.bytes)]), 'No cache is configured.');
  table('clients', [['Client'], ['Requests', 'right'], ['Cost today'], ['Limits used'], ['Failed', 'right wide'], ['Tokens in', 'right wide'], ['out', 'right wide']],
    o.clients.map(c => [c.name, count(c.requests), c.daily_usd != null ? { bar: c.daily_usd ? c.usd_today / c.daily_usd : 1, text: `${usd(c.usd_today)} of ${usd(c.daily_usd)}`, level: fullness(c.daily_usd ? c.usd_today / c.daily_usd : 1), label: `${c.name}, daily budget spent` } : usd(c.usd_today),
      limits(c.name, c.limits), count(c.failed), count(c.input_tokens), count(c.output_tokens)]));
  table('models', [['Model'], ['State'], ['Requests', 'right'], ['Tokens in', 'right'], ['out', 'right'], ['cached', 'right']],
    o.models.map(m => [m.name, badge(m.state), count(m.requests), count(m.input_tokens), count(m.output_tokens), count(m.cached_tokens)]));
  table('requests', [['At'], ['Outcome'], ['Took', 'right'], ['Model'], ['From'], ['Attempts', 'right'], ['Client', 'wide'], ['Tokens', 'right wide'], ['Cost', 'right wide'], ['ID', 'id wide']],
    o.requests.map(r => [clock(r.at), { badge: r.outcome === 'ok' ? r.degraded ? 'ok, degraded' : 'ok' : `${r.status || ''} ${plain(r.outcome)}`.trim(), level: r.outcome === 'ok' ? r.degraded ? 'warn' : 'good' : 'bad' },
      took(r.seconds), r.model, [r.source, r.provider].filter(Boolean).join(', ') || '–', r.attempts, r.client, count(r.tokens), usd(r.usd), r.id]), 'None yet.');
}

// -- charts

const sourcesOf = c => ({ ...c.sources, failed: c.failed });
let charts = null;

function makeCharts() {
  if (!window.Chart) return; // it did not load: the tables say the same
  const Chart = window.Chart, x = { type: 'linear', grid: {}, ticks: { maxRotation: 0, callback(at) { const ago = Math.round(this.max - at); return ago < 30 ? 'now' : `-${Math.round(ago / 60)} min`; } },
    afterBuildTicks: axis => { axis.ticks = [4, 3, 2, 1, 0].map(m => ({ value: axis.max - 60 * m })); } };
  const options = (y) => ({ animation: false, parsing: false, normalized: true, responsive: true, maintainAspectRatio: false, events: ['mousemove', 'mouseout', 'touchstart'],
    interaction: { mode: 'index', intersect: false }, elements: { point: { radius: 0 } }, scales: { x: { ...x }, y },
    plugins: { legend: { position: 'bottom', labels: { boxWidth: 12, filter: item => !item.hidden } }, tooltip: { callbacks: { title: items => items.length ? clock(items[0].parsed.x) : '' } } } });
  const line = label => ({ label, data: [], borderWidth: 1.5 });
  charts = {
    sources: new Chart($('sources'), { type: 'line', options: options({ stacked: true, beginAtZero: true, grid: {}, ticks: { precision: 0 } }), data: { datasets: SOURCES.map(s => ({ ...line(s), fill: 'stack', hidden: true })) } }),
    latency: new Chart($('latency'), { type: 'line', options: options({ beginAtZero: true, grid: {}, ticks: {} }), data: { datasets: [line('p50'), line('p99')] } }),
  };
  paintCharts();
}

function paintCharts() {
  if (!charts) return;
  const css = getComputedStyle(document.documentElement), of = name => css.getPropertyValue(name).trim();
  const colours = COLOURS[document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light'];
  charts.sources.data.datasets.forEach(d => { d.borderColor = colours[d.label]; d.backgroundColor = `${colours[d.label]}b0`; });
  ['primary', 'fallback'].forEach((s, i) => { const d = charts.latency.data.datasets[i]; d.borderColor = d.backgroundColor = colours[s]; });
  for (const chart of Object.values(charts)) {
    for (const axis of Object.values(chart.options.scales)) {
      axis.ticks.color = of('--quiet');
      axis.grid.color = of('--line');
    }
    chart.options.plugins.legend.labels.color = of('--text');
    chart.update('none');
  }
}

function remember(o) {
  for (const c of [...(o.history ?? []), ...(o.second ? [o.second] : [])]) cells.set(c.at, c);
  for (const at of cells.keys()) if (at < o.time - WINDOW - 1) cells.delete(at);
}

function drawCharts(o) {
  const newest = o.second?.at ?? o.time, seconds = Array.from({ length: WINDOW }, (_, i) => newest - WINDOW + 1 + i);
  if (charts) {
    charts.sources.data.datasets.forEach(d => {
      d.data = seconds.map(at => ({ x: at, y: cells.has(at) ? sourcesOf(cells.get(at))[d.label] ?? 0 : null }));
      d.hidden = !d.data.some(p => p.y);
    });
    ['p50', 'p99'].forEach((p, i) => { charts.latency.data.datasets[i].data = seconds.map(at => ({ x: at, y: cells.get(at)?.requests ? cells.get(at)[p] : null })); });
    for (const chart of Object.values(charts)) {
      chart.options.scales.x.min = seconds[0];
      chart.options.scales.x.max = newest;
      chart.update('none');
    }
  }
  // The same in words, and in tables of half minutes.
  const sums = (from, to) => {
    const out = { requests: 0, worst: 0, middle: [], sources: {} };
    for (let at = from; at <= to; ++at) {
      const c = cells.get(at);
      if (!c) continue;
      out.requests += c.requests;
      if (c.requests) out.middle.push(c.p50);
      out.worst = Math.max(out.worst, c.p99);
      for (const [s, n] of Object.entries(sourcesOf(c))) out.sources[s] = (out.sources[s] ?? 0) + n;
    }
    out.middle.sort((a, b) => a - b);
    return out;
  };
  const half = a => a.length ? a[a.length >> 1] : 0;
  const all = sums(seconds[0], newest), parts = SOURCES.filter(s => all.sources[s]).map(s => `${count(all.sources[s])} ${s}`);
  put($('sources-text'), all.requests ? `${count(all.requests)} requests in five minutes: ${parts.join(', ')}.` : 'No requests in five minutes.');
  put($('latency-text'), all.requests ? `Of single seconds: p50 was mostly ${took(half(all.middle))}, p99 at most ${took(all.worst)}.` : 'No requests in five minutes.');
  const halves = Array.from({ length: 10 }, (_, i) => newest - 30 * (i + 1) + 1).map(from => [clock(from), sums(from, from + 29)]);
  if ($('sources-table').closest('details').open) table('sources-table', [['30 s from'], ...SOURCES.map(s => [s, 'right'])], halves.map(([at, s]) => [at, ...SOURCES.map(n => count(s.sources[n] ?? 0))]));
  if ($('latency-table').closest('details').open) table('latency-table', [['30 s from'], ['middle p50', 'right'], ['worst p99', 'right']], halves.map(([at, s]) => [at, took(half(s.middle)), took(s.worst)]));
}

function draw() {
  if (!last) return;
  put($('node'), last.node);
  put($('about'), `version ${last.version}, configuration ${last.config.slice(0, 8)}, up ${span(last.up_seconds)}`);
  document.title = `${$('banner').dataset.level === 'good' ? '' : '! '}${last.node} · Mainstay`;
  drawAlerts(last);
  drawNumbers(last);
  drawTables(last);
  drawCharts(last);
}

// -- news

function news(o) {
  if (o.error) {
    refusal = o.error.message;
    return drawBanner();
  }
  // Another process comes over another connection, and is younger than the one before would be.
  if (fresh && last && o.up_seconds < last.up_seconds + (Date.now() - heard) / 1000 - 1) restarted = Date.now() - 1000 * o.up_seconds;
  fresh = false;
  refusal = '';
  lost = 0;
  heard = Date.now();
  last = o;
  remember(o);
  drawBanner();
  draw();
}

function connect() {
  const stream = new EventSource('/events');
  fresh = true;
  stream.onmessage = e => {
    if (e.data !== '[DONE]') news(JSON.parse(e.data));
  };
  stream.onerror = () => { // a browser does not try again after everything: this does
    stream.close();
    lost ||= Date.now();
    drawBanner();
    setTimeout(connect, 1000);
    fetch('/readyz').then(r => { // it is there, and does not want one more
      if (lost && r.ok) refusal = 'The node answers, but sends no overviews: too many look on, or the token has changed';
    }, () => { refusal = ''; });
  };
}

// -- light and dark

const dark = matchMedia('(prefers-color-scheme: dark)'), CHOICES = ['automatic', 'light', 'dark'];
let choice = 'automatic';
try {
  choice = localStorage.getItem('theme') ?? choice;
} catch { /* nothing is kept, then */ }

function applyTheme() {
  document.documentElement.dataset.theme = choice === 'automatic' ? dark.matches ? 'dark' : 'light' : choice;
  put($('theme'), `Theme: ${choice}`);
  paintCharts();
}
$('theme').onclick = () => {
  choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
  try {
    localStorage.setItem('theme', choice);
  } catch { /* as above */ }
  applyTheme();
};
dark.addEventListener('change', applyTheme);

for (const d of document.querySelectorAll('details')) d.addEventListener('toggle', draw);
applyTheme();
makeCharts();
connect();
setInterval(drawBanner, 1000);
