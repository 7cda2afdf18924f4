// The review page. Pictures and queues come once (/api/index), decisions as they change (/api/decisions); every click goes into an outbox that
// is emptied to the server (/api/clicks) and is kept until the server says that it is on the disk. Text enters the page as text only.
"use strict";
(() => {
  const { session, texts } = JSON.parse(document.getElementById("data").textContent);
  const QUEUES = ["photos", "duplicates", "conflicts", "labels", "errors", "votes", "all"];
  const CELL_PX = 76, EDGE_PX = 20, AHEAD = 4, STRETCH = 16, SHARP_MS = 140, POLL_MS = 4000, MOST_CLICKS = 100, EXAMPLES = 6, RETRY_MS = [300, 800, 1500, 3000, 5000];
  const $ = (id) => document.getElementById(id);
  const say = (name, values = {}) => texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
  const number = (n) => n.toLocaleString(session.lang);
  const kept = (name) => { try { return JSON.parse(sessionStorage.getItem(name)) ?? []; } catch { return []; } };
  const keep = (name, value) => { try { sessionStorage.setItem(name, JSON.stringify(value)); } catch { /* full or forbidden: memory has it */ } };

  const constant = {};   // queues that do not change while the page is open
  let index = null, queue = "", list = [], at = 0, seen = 0, trouble = "", lasting = "", attempt = 0, sending = false, timer = 0, sharpTimer = 0;
  const decided = new Map();   // row → {counts, votes, open}, as the server told, with this tab's unsaved clicks on top
  const outbox = kept("outbox");   // clicks that the server has not acknowledged
  const undoable = kept("undoable");   // {row, queue}, last click last
  const gone = new Set(), held = new Set();

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const labelName = (code) => (code < 0 ? texts.no_label : index.labels[code]);
  const thumb = (row) => `/thumb/${index.digest[row]}`;
  const full = (row) => `/full/${row}/${index.digest[row]}`;
  const me = () => $("reviewer").value.trim() || session.reviewer;
  const isDecided = (row) => Boolean(decided.get(row)?.counts);
  const isMine = (row) => Boolean(decided.get(row)?.votes?.[me()]);
  const isDone = (row, name = queue) => (name === "votes" ? isMine(row) : isDecided(row));

  // What is to be seen

  function entries(name) {
    if (name === "votes") {
      const open = [...decided].filter(([, told]) => told.open).map(([row]) => ({ row, place: -1, score: 0 }));
      return open.sort((a, b) => a.row - b.row);
    }
    const own = index.queues[name];
    constant[name] ??= own.rows.map((row, place) => ({ row, place, score: own.score[place] ?? 1 }));
    return constant[name];
  }

  function filtered() {
    const form = new FormData($("filter"));
    const text = form.get("text").toLowerCase(), label = form.get("label"), state = form.get("state"), order = form.get("order");
    const low = form.get("low") === "" ? -Infinity : Number(form.get("low")), high = form.get("high") === "" ? Infinity : Number(form.get("high"));
    const code = label === "" ? null : Number(label), suggested = index.queues[queue].suggested;
    const found = entries(queue).filter(({ row, place, score }) =>
      (!text || index.path[row].toLowerCase().includes(text)) && (code === null || index.label[row] === code || suggested[place] === code) &&
      score >= low && score <= high &&
      (!state || (state === "open" ? !isDone(row) : state === "done" ? isDone(row) : !isMine(row))));
    if (order === "doubt") found.sort((a, b) => b.score - a.score);
    if (order === "path") found.sort((a, b) => (index.path[a.row] < index.path[b.row] ? -1 : 1));
    return found;
  }

  function openQueue(name, row = null) {
    queue = name;
    list = filtered();
    const wanted = row === null ? -1 : list.findIndex((one) => one.row === row);
    at = wanted >= 0 ? wanted : Math.max(list.findIndex((one) => !isDone(one.row)), 0);
    history.replaceState(null, "", `#${name}`);
    showTabs();
    showReel(true);
    show();
  }

  function applyFilters() {
    const row = list[at]?.row ?? null;
    openQueue(queue, row);
  }

  function go(place) {
    if (!list.length) return;
    at = Math.min(Math.max(place, 0), list.length - 1);
    show();
    showReel(true);
  }

  function goOpen() {
    for (let step = 1; step <= list.length; step++) {
      const place = (at + step) % list.length;
      if (!isDone(list[place].row)) return go(place);
    }
    showDone();
    return undefined;
  }

  // One picture

  function show() {
    const one = list[at];
    $("view").hidden = !one;
    $("empty").hidden = Boolean(one);
    enable(Boolean(one));
    if (!one) return showEmpty();
    keep("place", { queue, row: one.row });
    const { row, place } = one, suggested = suggestion(one);
    showPicture(row);
    $("own-label").textContent = texts.labelled.replace("{label}", labelName(index.label[row]));
    $("own-path").textContent = index.path[row];
    $("own-facts").textContent = index.width[row] ? say("px", { w: number(index.width[row]), h: number(index.height[row]) }) : "";
    $("position").textContent = say("position", { at: number(at + 1), total: number(list.length) });
    showFinding(row, place, suggested);
    showBeside(row, place, suggested);
    showSaid(row);
    document.querySelector("[data-act=accept]").hidden = suggested < 0;
    if (suggested >= 0) $("accept-label").textContent = `→ ${labelName(suggested)}`;
    for (let next = at + 1; next <= at + AHEAD && next < list.length; next++) new Image().src = thumb(list[next].row);
    return undefined;
  }

  const suggestion = (one) => (one && one.place >= 0 ? index.queues[queue].suggested[one.place] ?? -1 : -1);

  function showPicture(row) {
    const [tile] = $("enlarge").children;
    soften($("enlarge"));
    setThumb(tile, row);
    tile.alt = index.path[row];
    warn(gone.has(row) ? texts.gone : held.has(row) && (queue === "labels") ? texts.held_out : "");
    clearTimeout(sharpTimer);
    sharpTimer = setTimeout(() => {
      sharpen($("enlarge"), row, row);
      const beside = $("beside").querySelector(".picture");
      if (beside) sharpen(beside, Number(beside.dataset.row), row);
    }, SHARP_MS);
  }

  function soften(frame) {
    frame.classList.remove("is-sharp");
    frame.querySelector(".sharp").removeAttribute("src");
  }

  function sharpen(frame, row, shown) {   // who rests on a picture sees its file; who hurries on sees tiles only
    const image = frame.querySelector(".sharp");
    if (gone.has(row)) return;
    image.onload = () => { if (list[at]?.row === shown) frame.classList.add("is-sharp"); };
    image.onerror = async () => { if (list[at]?.row === shown && row === shown) warn(await reasonOf(row)); };
    image.src = full(row);
  }

  async function reasonOf(row) {
    try {
      const told = await (await fetch(full(row))).json();
      return say(told.code, { detail: told.detail });
    } catch {
      return texts.no_answer;
    }
  }

  function setThumb(image, row) {
    image.classList.remove("absent");
    image.onerror = () => image.classList.add("absent");
    image.src = thumb(row);
  }

  function warn(text) {
    $("warning").hidden = !text;
    $("warning").textContent = text;
  }

  function showFinding(row, place, suggested) {
    const own = index.queues[queue], evidence = own.evidence[place] ?? "", score = own.score[place];
    const reason = index.reasons[index.reason[row]];
    const name = queue === "errors" ? "error" : queue === "votes" ? "votes" : reason === "" && queue === "photos" ? "near_photo" : reason || "none";
    $("finding").textContent = say(`is_${name}`, { label: labelName(suggested >= 0 ? suggested : index.label[row]) });
    const [p, rest] = evidence.split(" ");
    $("measure").textContent = {
      photos: () => say("photo_score", { score: score.toFixed(2) }), duplicates: () => say("similarity", { score: (1 - score).toFixed(3) }),
      labels: () => say("label_score", { score: score.toFixed(2) }),
      errors: () => say("error_score", { p, own: rest, label: labelName(suggested), label_own: labelName(index.label[row]), model: session.model }),
    }[queue]?.() ?? "";
    $("consequence").textContent = index.kept[row] === "1" ? texts.machine_keeps : texts.machine_drops;
    $("evidence").textContent = queue === "photos" ? evidence : "";
  }

  function showBeside(row, place, suggested) {
    const parts = [], copies = index.queues[queue].beside[place] ?? [];
    if (copies.length) {
      const title = queue === "conflicts" ? say("same_under", { label: labelName(index.label[copies[0]]) }) : texts.repeats;
      parts.push(largeFigure(title, copies[0]));
      if (copies.length > 1) parts.push(exampleRow(texts.more_copies, copies.slice(1), true));
    }
    if (suggested >= 0 && queue !== "conflicts") parts.push(exampleRow(say("suggested", { label: labelName(suggested) }), index.examples[suggested].slice(0, EXAMPLES), false, "suggested"));
    if (!copies.length && index.label[row] >= 0) {
      parts.push(exampleRow(say("examples", { label: labelName(index.label[row]) }), index.examples[index.label[row]].filter((other) => other !== row).slice(0, EXAMPLES)));
    }
    $("beside").replaceChildren(...parts);
  }

  function largeFigure(title, row) {
    const image = element("img", { className: "tile", alt: index.path[row] });
    setThumb(image, row);
    const kind = index.kept[row] === "1" ? texts.machine_keeps : texts.machine_drops;
    const frame = element("div", { className: "picture" }, image, element("img", { className: "sharp", alt: "" }));
    frame.dataset.row = row;
    return element("figure", {}, frame, element("figcaption", {}, element("strong", { textContent: title }),
      element("span", { textContent: index.path[row] }),
      element("span", { textContent: `${say("px", { w: number(index.width[row]), h: number(index.height[row]) })} · ${kind}` })));
  }

  function exampleRow(title, rows, named = false, kind = "") {
    const grid = element("ul", { className: "examples" });
    for (const row of rows) {
      const image = element("img", { alt: index.path[row], title: index.path[row] });
      setThumb(image, row);
      grid.append(element("li", {}, image, ...(named ? [element("span", { textContent: labelName(index.label[row]) })] : [])));
    }
    return element("section", { className: `like ${kind}` }, element("h3", { textContent: title }),
      rows.length ? grid : element("p", { textContent: texts.no_examples }));
  }

  function voteText(vote) {
    return vote.startsWith("label ") ? vote.slice(6) : texts[`did_${vote}`];
  }

  function showSaid(row) {
    const told = decided.get(row), lines = [];
    if (told?.votes) {
      const others = Object.keys(told.votes).filter((name) => name !== me()), mine = told.votes[me()];
      if (mine) lines.push(line(texts.you, mine));
      if (mine) lines.push(...others.map((name) => line(name, told.votes[name])));
      else if (others.length) lines.push(element("li", { textContent: others.length === 1 ? texts.one_judged : say("others_judged", { n: others.length }) }));
      if (told.counts?.[0] === "votes") lines.push(line(texts.settled_by_votes, told.counts[1]));
      else if (mine && others.length) lines.push(line(texts.counts, told.counts?.[1] ?? "keep"));
    }
    $("said").replaceChildren(...lines);
    const state = told?.votes?.[me()] ?? "";
    for (const [act, name] of [["keep", "keep"], ["drop", "drop"], ["relabel", "label"]]) {
      document.querySelector(`[data-act=${act}]`).setAttribute("aria-pressed", String(state.split(" ")[0] === name));
    }
  }

  const line = (who, vote) => element("li", { className: `vote ${vote.split(" ")[0]}` }, element("span", { textContent: who }), element("b", { textContent: voteText(vote) }));

  // Nothing to be seen

  function showEmpty() {
    const own = index.queues[queue], parts = [element("h2", { textContent: texts.empty_queue })];
    if (own.command) parts.push(element("p", { textContent: `${texts.needs_more} ${texts.needs}:` }), commandLine(own.command));
    else if (entries(queue).length) parts[0].textContent = texts.empty_filters;
    else parts.push(element("p", { textContent: queue === "votes" ? texts.empty_votes : texts.empty_found }));
    $("empty").replaceChildren(...parts);
  }

  function showDone() {
    const next = QUEUES.slice(0, -1).find((name) => name !== queue && entries(name).some(({ row }) => !isDone(row, name)));
    const parts = [element("h2", { textContent: texts.all_done })];
    if (next) parts.push(element("button", { type: "button", className: "primary", textContent: say("go_next", { queue: texts[next] }), onclick: () => openQueue(next) }));
    parts.push(element("p", { textContent: texts.all_done_more }), commandList());
    $("view").hidden = true;
    $("empty").hidden = false;
    $("empty").replaceChildren(...parts);
    enable(false);
  }

  function enable(yes) {
    for (const button of document.querySelectorAll(".actions button")) {
      button.disabled = !yes && button.dataset.act !== "undo";
      if (!yes) button.removeAttribute("aria-pressed");
    }
  }

  function commandLine(text) {
    const copy = element("button", { type: "button", textContent: texts.copy, onclick: async () => {
      await navigator.clipboard?.writeText(text);
      copy.textContent = texts.copied;
    } });
    return element("div", { className: "command" }, element("code", { textContent: text }), copy);
  }

  const commandList = () => element("ol", { className: "commands" }, ...session.commands.map((text) => element("li", {}, commandLine(text))));

  function showEnd() {
    const counts = { n_keep: 0, n_drop: 0, n_label: 0, n_open: 0 };
    for (const { counts: now } of decided.values()) if (now) counts[`n_${now[1].split(" ")[0]}`] += 1;
    const waiting = new Set(QUEUES.slice(0, -1).flatMap((name) => entries(name).filter(({ row }) => !isDecided(row)).map(({ row }) => row)));
    counts.n_open = waiting.size;
    $("counts").replaceChildren(...Object.entries(counts).map(([name, n]) => element("div", {}, element("dd", { textContent: number(n) }), element("dt", { textContent: texts[name] }))));
    $("commands").replaceChildren(...commandList().children);
    $("end").showModal();
  }

  // The queues, their progress, and the reel of pictures

  function showTabs() {
    const tabs = QUEUES.map((name) => {
      const all = entries(name), open = all.filter(({ row }) => !isDone(row, name)).length;
      const tab = element("button", { type: "button", className: name === queue ? "is-open" : "", onclick: () => openQueue(name) },
        element("span", { textContent: texts[name] }), element("b", { textContent: number(name === "all" ? all.length : open), className: open || name === "all" ? "" : "none" }));
      if (name === queue) tab.setAttribute("aria-current", "page");
      return tab;
    });
    const focused = [...$("tabs").children].indexOf(document.activeElement);
    $("tabs").replaceChildren(...tabs);
    if (focused >= 0) tabs[focused].focus();
    const tab = tabs[QUEUES.indexOf(queue)];
    $("tabs").scrollLeft = tab.offsetLeft - ($("tabs").clientWidth - tab.offsetWidth) / 2;
    showProgress();
  }

  function showProgress() {
    const all = entries(queue), done = all.filter(({ row }) => isDone(row)).length;
    $("meter").max = Math.max(all.length, 1);
    $("meter").value = done;
    document.querySelector(".progress").hidden = !all.length;
    $("done").textContent = say("progress", { done: number(done), total: number(all.length) });
    $("shown").textContent = list.length < all.length ? ` · ${say("shown", { shown: number(list.length), total: number(all.length) })}` : "";
    const tab = $("tabs").children[QUEUES.indexOf(queue)]?.lastChild;
    if (tab && queue !== "all" && queue !== "votes") {
      tab.textContent = number(all.length - done);
      tab.className = all.length - done ? "" : "none";
    }
  }

  function showReel(centre = false) {
    const strip = $("strip"), reel = $("reel");
    reel.style.width = `${list.length * CELL_PX + 2 * EDGE_PX}px`;
    if (centre) strip.scrollLeft = at * CELL_PX + EDGE_PX - (strip.clientWidth - CELL_PX) / 2;
    const first = Math.max(Math.floor((strip.scrollLeft / CELL_PX - AHEAD) / STRETCH) * STRETCH, 0);   // in stretches: most steps load nothing
    const last = Math.min(Math.ceil(((strip.scrollLeft + strip.clientWidth) / CELL_PX + AHEAD) / STRETCH) * STRETCH, list.length);
    const there = new Map([...reel.children].map((cell) => [cell.dataset.key, cell]));
    const wanted = [];
    for (let place = first; place < last; place++) {
      const key = `${queue} ${place} ${list[place].row}`;
      const cell = there.get(key) ?? newCell(place, key);
      markCell(cell, place);
      wanted.push(cell);
    }
    for (const cell of [...reel.children]) if (!wanted.includes(cell)) cell.remove();
    for (const cell of wanted) if (!cell.isConnected) reel.append(cell);
  }

  function newCell(place, key) {
    const image = element("img", { alt: "" });
    setThumb(image, list[place].row);
    const cell = element("button", { type: "button", tabIndex: -1, onclick: () => go(place) }, image);
    cell.dataset.key = key;
    cell.style.left = `${place * CELL_PX + EDGE_PX}px`;
    return cell;
  }

  function markCell(cell, place) {
    const row = list[place].row, said = decided.get(row)?.votes?.[me()] ?? (isDecided(row) ? "other" : "");
    cell.className = [place === at ? "is-here" : "", said ? `is-${said.split(" ")[0]}` : "", gone.has(row) ? "is-gone" : ""].join(" ").trim();
    const words = said && said !== "other" ? `, ${voteText(said)}` : "";
    cell.setAttribute("aria-label", `${index.path[row]}${words}`);
    if (place === at) cell.setAttribute("aria-current", "true"); else cell.removeAttribute("aria-current");
  }

  // Decisions

  const newName = () => [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  function decide(act, label = "") {
    const one = list[at];
    if (!one || $("view").hidden) return;
    undoable.push({ row: one.row, queue, reviewer: me(), before: decided.get(one.row) ?? null });
    if (undoable.length > 500) undoable.shift();
    keep("undoable", undoable);
    send(one.row, act, label, me());
    refreshOne(one.row);
    goOpen();
  }

  function undo() {
    const last = undoable.pop();
    if (!last) return status("ready", texts.nothing_to_undo);
    keep("undoable", undoable);
    send(last.row, "undo", "", last.reviewer, last.before);
    if (queue !== last.queue || !list.some(({ row }) => row === last.row)) openQueue(last.queue, last.row);
    else go(list.findIndex(({ row }) => row === last.row));
    refreshOne(last.row);
    return undefined;
  }

  function send(row, act, label, reviewer, before = null) {
    const click = { click: newName(), path: index.path[row], digest: index.digest[row], act, label, reviewer };
    outbox.push(click);
    keep("outbox", outbox);
    if (act === "undo") { if (before) decided.set(row, before); else decided.delete(row); } else expect(row, click);
    empty();
  }

  function expect(row, { act, label, reviewer }) {
    const told = decided.get(row) ?? { counts: null, votes: {}, open: false };
    const vote = act === "label" && label !== labelName(index.label[row]) ? `label ${label}` : act === "drop" ? "drop" : "keep";
    decided.set(row, { counts: [reviewer, vote], votes: { ...told.votes, [reviewer]: vote }, open: told.open });
  }

  function refreshOne(row) {
    showProgress();
    showReel();
    if (list[at]?.row === row) showSaid(row);
  }

  // The outbox: nothing leaves it before the server has it on the disk

  function status(state, text) {
    $("status").dataset.state = state;
    $("status").textContent = text;
  }

  async function empty() {
    if (sending || !outbox.length) return;
    sending = true;
    clearTimeout(timer);
    if (!trouble) status("saving", texts.saving);
    const batch = outbox.slice(0, MOST_CLICKS);
    try {
      const answer = await post(batch);
      const done = new Set([...answer.saved, ...Object.keys(answer.refused)]);
      outbox.splice(0, outbox.length, ...outbox.filter(({ click }) => !done.has(click)));
      keep("outbox", outbox);
      attempt = 0;
      trouble = "";
      if (answer.version !== session.version) { otherData(); return; }   // its rows are other pictures
      take(answer.rows);
      const refused = Object.values(answer.refused);
      if (refused.length) await takeBack(batch.filter(({ click }) => click in answer.refused), refused[0]);
      else if (!outbox.length) { lasting = ""; status("saved", texts.saved); }
    } catch (error) {
      trouble = error.message;
      status("trouble", `${say("not_saved", { why: trouble })} (${say("waiting", { n: number(outbox.length) })})`);
      timer = setTimeout(empty, RETRY_MS[Math.min(attempt++, RETRY_MS.length - 1)]);
    } finally {
      sending = false;
    }
    if (outbox.length && !trouble) empty();
  }

  async function takeBack(clicks, why) {   // what was not taken is not decided: the journal says what is
    const rows = new Set(clicks.map(({ path }) => index.path.indexOf(path)));
    for (const row of rows) decided.delete(row);
    seen = 0;
    await reload();
    for (const row of rows) refreshOne(row);
    lasting = say("refused", { why });
    status("trouble", lasting);
  }

  async function post(clicks, again = true) {
    let response;
    try {
      response = await fetch("/api/clicks", { method: "POST", body: JSON.stringify({ clicks }),
        headers: { "Content-Type": "application/json", "X-Review-Token": session.token } });
    } catch {
      throw new Error(texts.no_answer);
    }
    if (response.status === 403 && again && await enter()) return post(clicks, false);
    if (response.status === 403) throw new Error(texts.no_entry);
    const answer = await response.json().catch(() => ({ told: `${response.status}` }));
    if (!response.ok) throw new Error(answer.told);
    return answer;
  }

  async function enter() {   // after a new start of the server, once its address was opened in this browser
    try {
      const response = await fetch("/api/session");
      if (!response.ok) return false;
      Object.assign(session, { token: (await response.json()).token });
      return true;
    } catch {
      return false;
    }
  }

  function take(rows) {
    const waiting = new Set(outbox.map(({ path }) => path));
    for (const [key, told] of Object.entries(rows)) {
      const row = Number(key);
      if (waiting.has(index.path[row])) continue;
      if (told.counts || Object.keys(told.votes).length) decided.set(row, told); else decided.delete(row);
    }
  }

  async function reload() {
    const response = await fetch(`/api/decisions?since=${seen}`);
    if (response.status === 403) { if (!outbox.length) status("trouble", texts.no_entry); return false; }
    if (!response.ok) throw new Error((await response.json()).told);
    const answer = await response.json();
    if (answer.version !== session.version) { otherData(); return false; }
    if (answer.number < seen) { seen = 0; return reload(); }   // the server began anew
    seen = answer.number;
    take(answer.rows);
    if (Object.keys(answer.rows).length && list.length) { showTabs(); showReel(); showSaid(list[at].row); }
    return true;
  }

  async function poll() {
    if (document.visibilityState !== "visible" || !index) return;
    try {
      const good = await reload();
      if (good && !lasting && $("status").dataset.state === "trouble" && !outbox.length) status("ready", texts.ready);
    } catch (error) {
      if (!outbox.length) status("trouble", error instanceof TypeError ? texts.no_answer : error.message);
    }
  }

  function otherData() {
    lasting = texts.other_data;
    status("trouble", lasting);
  }

  // Dialogs

  let choice = 0;

  function openLabels() {
    if (!list[at]) return;
    $("find").value = "";
    showChoices();
    $("labels").showModal();
    $("find").focus();
  }

  function choices() {
    const text = $("find").value.trim().toLowerCase(), suggested = suggestion(list[at]);
    const found = index.labels.map((name, code) => code).filter((code) => index.labels[code].toLowerCase().includes(text));
    const rank = (code) => (index.labels[code].toLowerCase().startsWith(text) ? 0 : 2) - (code === suggested ? 1 : 0);
    return text || suggested >= 0 ? found.sort((a, b) => rank(a) - rank(b) || a - b) : found;
  }

  function showChoices(wanted = 0) {
    const found = choices(), current = index.label[list[at].row];
    choice = Math.min(Math.max(wanted, 0), Math.max(found.length - 1, 0));
    $("choices").replaceChildren(...found.map((code, place) => {
      const item = element("li", { id: `choice-${place}`, onclick: () => pick(code) }, element("span", { textContent: labelName(code) }),
        ...index.examples[code].slice(0, 4).map((row) => { const image = element("img", { alt: "" }); setThumb(image, row); return image; }));
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(place === choice));
      if (code === current) item.classList.add("is-current");
      return item;
    }));
    $("no-choice").hidden = found.length > 0;
    $("find").setAttribute("aria-activedescendant", found.length ? `choice-${choice}` : "");
    $("choices").children[choice]?.scrollIntoView({ block: "nearest" });
  }

  function pick(code) {
    $("labels").close();
    decide("label", labelName(code));
  }

  function findKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); showChoices(choice + step); }
    if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); const found = choices(); if (found.length) pick(found[choice]); }
  }

  function openLarge() {
    const one = list[at];
    if (!one) return;
    const rows = [one.row, ...(index.queues[queue].beside[one.place] ?? []).slice(0, 1)];
    $("large-title").textContent = `${texts.full_title}: ${index.path[one.row]}`;
    $("large-pictures").replaceChildren(...rows.map((row) => {
      const note = element("span", {}), image = element("img", { alt: index.path[row], src: thumb(row) });
      const sharp = new Image();
      sharp.onload = () => { image.src = sharp.src; image.classList.add("is-sharp"); };
      sharp.onerror = async () => { note.textContent = await reasonOf(row); };
      sharp.src = full(row);
      return element("figure", {}, image, element("figcaption", {}, element("strong", { textContent: labelName(index.label[row]) }),
        element("span", { textContent: index.path[row] }), note));
    }));
    $("large").showModal();
  }

  // Keys and buttons

  const ACTS = {
    keep: () => decide("keep"), drop: () => decide("drop"), undo, next: () => go(at + 1), previous: () => go(at - 1), relabel: openLabels,
    accept: () => { const code = suggestion(list[at]); if (code >= 0) decide("label", labelName(code)); },
  };
  const stepQueue = (step) => openQueue(QUEUES[(QUEUES.indexOf(queue) + step + QUEUES.length) % QUEUES.length]);
  const KEYS = {
    k: ACTS.keep, d: ACTS.drop, u: undo, s: ACTS.accept, l: openLabels, n: goOpen, f: openLarge, arrowright: ACTS.next, arrowleft: ACTS.previous,
    "?": () => $("keys").showModal(), "[": () => stepQueue(-1), "]": () => stepQueue(1),
    "/": () => { $("filters").open = true; $("filter").elements.text.focus(); },
  };
  const BY_PLACE = { KeyK: "k", KeyD: "d", KeyU: "u", KeyS: "s", KeyL: "l", KeyN: "n", KeyF: "f" };   // where Korean letters are typed

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !index) return;
    const open = document.querySelector("dialog[open]");
    if (open) { if (open.id === "large" && (event.code === "KeyF")) { event.preventDefault(); open.close(); } return; }
    const typing = event.target.matches("input, select, textarea") && !event.target.closest("dialog");   // a closed dialog has the focus for one more frame
    if (typing) { if (event.key === "Escape") event.target.blur(); return; }
    const run = KEYS[event.key.toLowerCase()] ?? KEYS[BY_PLACE[event.code]];
    if (!run || (event.repeat && !event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    run();
  }

  function listen() {
    document.addEventListener("keydown", onKey);
    for (const button of document.querySelectorAll("[data-act]")) button.addEventListener("click", () => ACTS[button.dataset.act]());
    for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
    for (const dialog of document.querySelectorAll("dialog")) dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    $("help").addEventListener("click", () => $("keys").showModal());
    $("finish").addEventListener("click", showEnd);
    $("enlarge").addEventListener("click", openLarge);
    $("find").addEventListener("input", () => showChoices());
    $("find").addEventListener("keydown", findKey);
    $("strip").addEventListener("scroll", () => requestAnimationFrame(() => showReel()), { passive: true });
    window.addEventListener("resize", () => showReel(true));
    $("filter").addEventListener("input", applyFilters);
    $("filter").addEventListener("submit", (event) => event.preventDefault());
    $("filter").addEventListener("reset", () => setTimeout(applyFilters));
    $("reviewer").addEventListener("change", () => {
      try { localStorage.setItem("reviewer", me()); } catch { /* forbidden: for this page only */ }
      $("reviewer").value = me();
      applyFilters();
    });
    window.addEventListener("beforeunload", (event) => { if (outbox.length) event.preventDefault(); });
    window.addEventListener("focus", poll);
    setInterval(poll, POLL_MS);
  }

  async function begin() {
    try { $("reviewer").value = localStorage.getItem("reviewer") || session.reviewer; } catch { $("reviewer").value = session.reviewer; }
    const [told, said] = await Promise.all([fetch("/api/index").then((answer) => answer.json()), fetch("/api/decisions?since=0")]);
    index = told;
    for (const row of index.gone) gone.add(row);
    for (const row of index.held_out) held.add(row);
    $("filter").elements.label.append(...index.labels.map((name, code) => new Option(name, code)));
    const answer = await said.json();
    if (said.ok) { seen = answer.number; take(answer.rows); } else status("trouble", answer.told);
    const rowOf = outbox.length ? new Map(index.path.map((path, row) => [path, row])) : null;
    for (const click of outbox) if (click.act !== "undo" && rowOf.has(click.path)) expect(rowOf.get(click.path), click);
    listen();
    const place = kept("place"), wanted = location.hash.slice(1);
    const first = QUEUES.includes(wanted) ? wanted : place.queue ?? QUEUES.find((name) => entries(name).some(({ row }) => !isDecided(row))) ?? "all";
    openQueue(first, place.queue === first ? place.row : null);
    if (gone.size) $("done").after(element("span", { className: "gone", textContent: say("n_gone", { n: number(gone.size) }) }));
    empty();
  }

  begin().catch((error) => status("trouble", error.message));
})();
