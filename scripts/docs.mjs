// `npm run docs`: the site, made of READMEs, guides, docstrings and kinds of errors, in .cache/docs. With `--check` it only says which exports have no docstring.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Application, Converter, MinimalSourceFile, ReflectionKind } from "typedoc";
import { errorPage } from "./error-page.mjs";
import { install, isMain, root } from "./setup.mjs";
import { published } from "./workspace.mjs";

const site = join(root, ".cache/docs");
const errors = join(root, ".cache/errors.md");

/** What users import → where its source is. */
const entries = published.flatMap(({ folder, manifest: { name, exports = {} } }) =>
  Object.entries(exports).map(([entry, source]) => ({
    name: entry === "." ? name : `${name}${entry.slice(1)}`,
    file: join(root, folder, source),
    readme: entry === "." ? join(root, folder, "README.md") : undefined,
  })),
);

/** Pages beside the packages: guides, the command line, examples, and how the project is run. */
function pages() {
  const guides = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
  const readmes = ["apps", "examples"].flatMap((group) => readdirSync(join(root, group)).map((name) => join(group, name, "README.md")));
  const project = ["CONTRIBUTING.md", "RELEASING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"];
  const paths = [...guides.map((name) => join("docs", name)), ...readmes, ...project];
  return paths.map((path) => join(root, path)).filter((path) => existsSync(path));
}

async function convert() {
  mkdirSync(join(root, ".cache"), { recursive: true });
  writeFileSync(errors, errorPage());
  const app = await Application.bootstrap({
    name: "weft",
    readme: join(root, "README.md"),
    entryPoints: entries.map(({ file }) => file),
    projectDocuments: [errors, ...pages()],
    tsconfig: join(root, "tsconfig.docs.json"),
    // `tsc -b` has checked them, each with its own settings.
    skipErrorChecking: true,
    basePath: root,
    disableGit: true,
    gitRevision: "main",
    sourceLinkTemplate: "https://github.com/OWNER/weft/blob/{gitRevision}/{path}#L{line}",
    navigationLinks: { GitHub: "https://github.com/OWNER/weft" },
    validation: { invalidLink: true, invalidPath: true, rewrittenLink: true, notExported: false, notDocumented: false },
    sort: ["kind", "alphabetical"],
    logLevel: "Warn",
  });
  // Modules are called what users import, and begin with the package's README; pages are called by their heading.
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
      const { name, readme } = entries.find(({ file }) => module.sources?.some(({ fullFileName }) => fullFileName === file));
      module.name = name;
      if (readme === undefined) continue;
      module.readme = app.converter.parseRawComment(new MinimalSourceFile(readFileSync(readme, "utf8"), readme), project.files).content;
      project.files.registerReflection(readme, module);
    }
    for (const page of project.documents ?? []) {
      const text = page.content.map((part) => part.text).join("");
      page.name = /^# (.+)$/m.exec(text)?.[1].replaceAll("`", "") ?? page.name;
    }
  });
  return { app, project: await app.convert() };
}

const documented = (one) =>
  one.hasComment() || [...(one.signatures ?? []), ...(one.type?.declaration?.signatures ?? [])].some((signature) => signature.hasComment());

/** Exports without a docstring of their own or of one of their signatures. */
function undocumented(project) {
  const { Function: Fn, Class, Interface, TypeAlias, Variable, Enum } = ReflectionKind;
  const exported = project.getReflectionsByKind(Fn | Class | Interface | TypeAlias | Variable | Enum);
  return exported.filter((one) => !documented(one)).map((one) => `${one.getFullName()} (${one.sources?.[0]?.fileName})`);
}

if (isMain(import.meta.url)) {
  install();
  const { app, project } = await convert();
  if (!project) process.exit(1);
  const missing = undocumented(project);
  if (missing.length > 0) process.stdout.write(`${missing.length} exports have no docstring:\n  ${missing.join("\n  ")}\n`);
  app.validate(project);
  if (!process.argv.includes("--check")) {
    rmSync(site, { recursive: true, force: true });
    await app.generateDocs(project, site);
    process.stdout.write(`${join(site, "index.html")}\n`);
  }
  process.exitCode = missing.length > 0 || app.logger.hasErrors() || app.logger.hasWarnings() ? 1 : 0;
}
