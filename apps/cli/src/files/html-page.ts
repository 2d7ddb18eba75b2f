const STYLE = `body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
svg { width: 100%; height: auto } svg text { font-size: 12px; fill: currentColor } .axis { stroke: currentColor; stroke-width: 1; fill: none }
pre { white-space: pre-wrap; overflow-wrap: anywhere } table { border-collapse: collapse } td, th { padding: 0 .6rem; text-align: left } td.n, th.n { text-align: right }`;

/** Text as HTML has it. */
export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** A page that stands alone. @param body below its title, in HTML @param style what it has besides */
export const htmlPage = (title: string, body: string, style = ""): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${STYLE}
${style}</style>
<h1>${escaped(title)}</h1>
${body}
</html>
`;
