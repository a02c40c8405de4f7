/** YOURS. What stands around every mail: its colours, its header, its footer. Templates write what stands within. */
import { html } from '../../platform/lib/html.ts';
import type { MailLayout } from '../../platform/mailer.ts';

/** Mail programs ignore style sheets in part: what must hold stands at its element, and the sheet below only darkens it. */
const FONT =
  "font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;font-size:16px;line-height:1.5";

export const layout: MailLayout = ({ subject, text, html: content, unsubscribeUrl }) => ({
  text: unsubscribeUrl === undefined ? text : `${text}\n\n--\nUnsubscribe: ${unsubscribeUrl}\n`,
  html: html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${subject}</title>
<style>
:root { color-scheme: light dark; }
a { color: #1d4ed8; }
@media (prefers-color-scheme: dark) {
  .page { background: #111113 !important; }
  .card { background: #1c1c1f !important; color: #ededef !important; }
  .note, .note a { color: #a0a0ab !important; }
  a { color: #93b4ff; }
}
</style>
</head>
<body class="page" style="margin:0;padding:0;background:#f4f4f5">
<table class="page" role="presentation" width="100%" cellpadding="0" cellspacing="0" style="background:#f4f4f5">
<tr><td align="center" style="padding:32px 16px">
<table class="card" role="presentation" width="100%" cellpadding="0" cellspacing="0"
  style="max-width:560px;background:#ffffff;color:#18181b;border-radius:8px;${FONT}">
<tr><td style="padding:32px">${content}</td></tr>
</table>
${
  unsubscribeUrl !== undefined &&
  html`<p class="note" style="margin:16px;color:#71717a;${FONT};font-size:13px">
<a href="${unsubscribeUrl}" style="color:#71717a">Unsubscribe</a></p>`
}
</td></tr>
</table>
</body>
</html>
`,
});
