setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store", headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of ["header", "main"]) {
      const shown = document.querySelector(part);
      const next = fresh.querySelector(part);
      if (shown && next && shown.innerHTML !== next.innerHTML) shown.replaceWith(next);
    }
  } catch {
    // The server is gone or restarting; the next turn tries again.
  }
}, 2000);
