// Improvements of the pages with JavaScript; every page works without it.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const label = button.firstChild;
  const before = label.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    label.textContent = "✓";
    setTimeout(() => { label.textContent = before; }, 1500);
  });
}

const summary = document.getElementById("errores");
if (summary) summary.focus();

const live = document.querySelector("[data-live]");
if (live) followShare(live);

// All texts and formats come from the server: an event only says that there is something new to fetch.
function followShare(place) {
  const announcer = document.getElementById("anuncio");
  const first = document.getElementById("avance").dataset.state;
  let said = document.getElementById("avance").dataset.said;
  let waiting = null;
  let stream = null;

  async function refresh() {
    waiting = null;
    const answer = await fetch(place.dataset.live, { headers: { Accept: "text/html" } });
    // 429 (many callers behind one address) or a temporary failure: the next refresh is soon enough.
    if (answer.status === 429 || answer.status >= 500) return;
    if (!answer.ok || answer.redirected) {
      location.reload();
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("avance");
    document.getElementById("avance").replaceWith(fresh);
    if (fresh.dataset.state !== first) {
      location.reload(); // the actions and the history have changed too
      return;
    }
    if (fresh.dataset.said !== said) {
      said = fresh.dataset.said;
      announcer.textContent = said;
    }
  }

  function refreshSoon() {
    if (waiting === null) waiting = setTimeout(() => refresh().catch(() => {}), 400);
  }

  // A recipient's page has no stream: each refresh also checks whether the link is still valid.
  function listen() {
    if (!place.dataset.events) {
      setInterval(refreshSoon, 5000);
      return;
    }
    stream = new EventSource(place.dataset.events);
    let isNews = false;
    stream.addEventListener("progreso", () => {
      if (isNews) refreshSoon(); // the first event repeats what the page shows already
      isNews = true;
    });
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => { refreshSoon(); listen(); }, 10000);
    });
  }

  if (document.getElementById("avance").dataset.moving === "1") listen();
  setInterval(refreshSoon, 60000); // to refresh the time that is left
  addEventListener("pagehide", () => { if (stream) stream.close(); });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}
