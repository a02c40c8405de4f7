// Small, external and blocking on purpose: the chosen theme must stand before the first paint, and inline code is forbidden.
try {
  const theme = localStorage.getItem('theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; the system's choice stands.
}
