// Follows a run: listens to the event stream and fetches the progress anew. Without this script the page refreshes
// itself. Nothing here decides anything.
(function () {
  "use strict";
  var place = document.getElementById("progress");
  if (!place || !window.EventSource || !window.fetch) { return; }

  var timer = null, busy = false, again = false, over = false;
  var asks = place.dataset.asks === "yes";
  var shown = place.querySelector("[data-state]");
  var first = shown ? shown.dataset.state : "";

  function keepOpen(from, to) {
    from.querySelectorAll("details[id]").forEach(function (old) {
      var fresh = to.querySelector("#" + old.id);
      if (fresh) { fresh.open = old.open; }
    });
  }

  // Somebody else was faster, or the plan was replaced. What was typed stays; the reader decides when to look.
  function movedOn() {
    var note = document.getElementById("moved-on");
    if (note) { note.hidden = false; }
  }

  function show(html) {
    var box = document.createElement("template");
    box.innerHTML = html;
    var fresh = box.content.querySelector("[data-state]");
    if (!fresh) { return; }
    if (asks && fresh.dataset.state !== first) {
      movedOn();
    }
    keepOpen(place, box.content);
    place.replaceChildren(box.content);
    var said = document.getElementById("said");
    if (said && said.textContent !== fresh.dataset.said) { said.textContent = fresh.dataset.said; }
  }

  function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    fetch(place.dataset.fragment, { headers: { "Accept": "text/html" }, cache: "no-store" })
      .then(function (answer) {
        if (answer.status === 410) { movedOn(); }
        return answer.ok ? answer.text() : null;
      })
      .then(function (html) { if (html) { show(html); } })
      .catch(function () { /* The next event tries again. */ })
      .then(function () {
        busy = false;
        if (again) { again = false; soon(); }
      });
  }

  function soon() {
    window.clearTimeout(timer);
    timer = window.setTimeout(refresh, 150);
  }

  var stream = new EventSource(place.dataset.live + "?after=" + (shown ? shown.dataset.position : "0"));
  stream.addEventListener("audit", soon);
  stream.addEventListener("end", function () {
    over = true;
    stream.close();
    soon();
  });
  // A tab that slept may have missed the stream altogether.
  document.addEventListener("visibilitychange", function () {
    if (!document.hidden && !over) { soon(); }
  });
}());
