// The page of errors, in Markdown, made of tensor-core's error classes and of WeftErrorKinds: they are the one definition of both.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { root } from "./setup.mjs";

const SOURCES = join(root, "packages/tensor-core/src");

function parse(file) {
  return ts.createSourceFile(file, readFileSync(join(SOURCES, file), "utf8"), ts.ScriptTarget.Latest, true);
}
const docOf = (node) => ts.getTextOfJSDocComment(ts.getJSDocCommentsAndTags(node).find(ts.isJSDoc)?.comment)?.replaceAll(/\s*\n\s*/g, " ");
const literals = (type) => (ts.isUnionTypeNode(type) ? type.types : [type]).map((one) => one.literal.text);

/** The classes, each with the code that it passes on to WeftError, and its kind if it has only one. */
function classes() {
  return parse("errors.ts")
    .statements.filter(ts.isClassDeclaration)
    .map((node) => ({ name: node.name.text, doc: docOf(node), text: node.getText() }))
    .map(({ text, ...rest }) => ({ ...rest, code: /super\("(\w+)"/.exec(text)?.[1], kind: /\bkind: "([\w-]+)"/.exec(text)?.[1] }))
    .filter(({ code }) => code !== undefined);
}

/** The interfaces that WeftErrorKinds is put together from. */
function groups() {
  const kinds = parse("error-kinds/kinds.ts");
  const modules = kinds.statements
    .filter(ts.isImportDeclaration)
    .map((node) => node.moduleSpecifier.text.replace("./", "").replace(".js", ".ts"));
  return modules.flatMap((file) =>
    parse(`error-kinds/${file}`)
      .statements.filter(ts.isInterfaceDeclaration)
      .map((node) => ({
        title: docOf(node),
        kinds: node.members.map((member) => ({ kind: member.name.text, codes: literals(member.type), doc: docOf(member) })),
      })),
  );
}

/** @returns the page; throws if a kind has no text or a code no class */
export function errorPage() {
  const all = classes();
  const classOf = (kind, code) => {
    const found = all.find((one) => one.kind === kind) ?? all.find((one) => one.code === code && one.kind === undefined);
    if (!found) throw new Error(`no error class has the code ${code} of the kind ${kind}`);
    return `\`${found.name}\``;
  };
  const cell = (text) => text.replaceAll("|", "\\|");
  const row = ({ kind, codes, doc }) => {
    if (!doc) throw new Error(`the kind ${kind} has no docstring`);
    return `| <a id="${kind}"></a>\`${kind}\` | ${codes.map((code) => classOf(kind, code)).join(", ")} | ${cell(doc)} |`;
  };
  return [
    "# Errors",
    "",
    "Every error that weft throws on purpose is a `WeftError`: `message` says what happened, where, what was expected and found; `hint` what to do; `kind` is a name that stays; `file`, `tensor` and `byte` say",
    'where. The command line prints them, and with `--json` as `{"error":{"kind","message","file"?,"hint"?}}`.',
    "",
    "```ts",
    'import { WeftError } from "@weft/tensor-core";',
    "",
    "try {",
    "  // …",
    "} catch (error) {",
    '  if (error instanceof WeftError && error.kind === "not-found") console.log(error.message, error.hint);',
    "  else throw error;",
    "}",
    "```",
    "",
    "| class | code | thrown when |",
    "|---|---|---|",
    ...all.map(({ name, code, doc }) => `| \`${name}\` | \`${code}\` | ${cell(doc)} |`),
    ...groups().flatMap(({ title, kinds }) => [
      "",
      `## ${title.replace(/\. .*|\.$/s, "")}`,
      "",
      "| kind | class | what happened, and what to do |",
      "|---|---|---|",
      ...kinds.map(row),
    ]),
    "",
  ].join("\n");
}
