// markdown.jsx - a text in Markdown as elements: parsed by marked, built by Preact, so nothing of it is ever HTML. What
// would leave the page's policy (images, HTML) is shown as its text. `put`: what a button beside a block of commands does.
import { lexer } from "marked";

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };
const decode = (text) => text.replace(/&(?:#(\d{1,6})|#x([0-9a-f]{1,5})|([a-z]+));/gi, (whole, ten, hex, name) =>
  name ? ENTITIES[name] ?? whole : String.fromCodePoint(Math.min(0x10ffff, ten ? +ten : parseInt(hex, 16))));
// Killercoda's marks behind a command; here every block has its button.
const plain = (text) => decode(text.replace(/\{\{(?:exec|copy|open)\b[^}]*\}\}/g, ""));
const safe = (href) => /^https?:\/\//i.test(href) ? href : null;

function Block({ text, put }) {
  return <div class="block"><pre tabindex="0"><code>{text}</code></pre>
    {put && <button type="button" class="plain" onClick={() => put(text)}>Put in the terminal</button>}</div>;
}

function Table({ token, inline }) {
  return <div class="scroll"><table class="list"><thead><tr>{token.header.map((c) => <th>{inline(c.tokens)}</th>)}</tr></thead>
    <tbody>{token.rows.map((r) => <tr>{r.map((c) => <td>{inline(c.tokens)}</td>)}</tr>)}</tbody></table></div>;
}

// Each kind of token, by its name in marked.
const makers = {
  space: () => null,
  text: (t, all) => t.tokens ? all(t.tokens) : plain(t.text),
  escape: (t) => t.text,
  html: (t) => t.text,
  br: () => <br />,
  hr: () => <hr />,
  em: (t, all) => <em>{all(t.tokens)}</em>,
  strong: (t, all) => <strong>{all(t.tokens)}</strong>,
  del: (t, all) => <del>{all(t.tokens)}</del>,
  codespan: (t) => <code>{t.text}</code>,
  image: (t) => t.text ? <span>[{t.text}]</span> : null,
  link: (t, all) => safe(t.href) ? <a href={safe(t.href)} target="_blank" rel="noreferrer noopener">{all(t.tokens)}</a> : <span>{all(t.tokens)}</span>,
  paragraph: (t, all) => <p>{all(t.tokens)}</p>,
  blockquote: (t, all) => <blockquote>{all(t.tokens)}</blockquote>,
  code: (t, all, put) => <Block text={t.text} put={put} />,
  heading: (t, all) => t.depth < 2 ? <h3>{all(t.tokens)}</h3> : <h4>{all(t.tokens)}</h4>,
  table: (t, all) => <Table token={t} inline={all} />,
  list: (t, all) => {
    const items = t.items.map((i) => <li>{i.task && <span aria-label={i.checked ? "done" : "to do"}>{i.checked ? "☑ " : "☐ "}</span>}{all(i.tokens)}</li>);
    return t.ordered ? <ol start={t.start || 1}>{items}</ol> : <ul>{items}</ul>;
  },
};

export function Markdown({ text, put }) {
  const all = (tokens) => tokens.map((t) => makers[t.type] ? makers[t.type](t, all, put) : t.raw);
  return <div class="markdown">{all(lexer(text))}</div>;
}
