// Publishes each package whose version is not on npm yet: the tarballs themselves, dependencies first. Needs a build and types. RELEASING.md says how it is used.
// usage: node scripts/publish.mjs [--dry-run]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack } from "./outside.mjs";
import { npm, npx, spawnNpm } from "./setup.mjs";
import { published } from "./workspace.mjs";

const dryRun = process.argv.includes("--dry-run");

/** Whether npm has this very version; anything but a plain no ends the process. */
function isOnNpm({ name, version }) {
  const { status, stdout } = spawnNpm(["view", `${name}@${version}`, "version", "--json"], { encoding: "utf8" });
  if (status === 0) return stdout.trim() !== "";
  if (/"code": "E404"/.test(stdout)) return false;
  process.stderr.write(`npm cannot say whether ${name}@${version} is there: ${stdout}\n`);
  process.exit(1);
}

/** What a package needs stands before it. */
function inOrder(packages, done = new Set()) {
  const next = packages.filter(({ manifest: { dependencies = {} } }) =>
    packages.every((other) => done.has(other) || !(other.manifest.name in dependencies)),
  );
  const fresh = next.filter((p) => !done.has(p));
  return fresh.length === 0 ? [...done] : inOrder(packages, new Set([...done, ...fresh]));
}

if (!dryRun && published.some(({ manifest }) => manifest.repository.url.includes("/OWNER/"))) {
  process.stderr.write("the manifests still name OWNER, which stands for an account: see RELEASING.md\n");
  process.exit(1);
}
const fresh = inOrder(published).filter(({ manifest }) => !isOnNpm(manifest));
const folder = mkdtempSync(join(tmpdir(), "weft-publish-"));
try {
  const tarballs = pack(folder, fresh);
  for (const { manifest } of fresh) {
    // Provenance says which commit and which run a tarball comes from; only a CI that npm knows can say so.
    const provenance = process.env.GITHUB_ACTIONS ? ["--provenance"] : [];
    npm(["publish", tarballs.get(manifest.name), "--access", "public", ...provenance, ...(dryRun ? ["--dry-run"] : [])]);
    process.stdout.write(`${dryRun ? "would publish" : "published"} ${manifest.name}@${manifest.version}\n`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
// Its "New tag:" lines tell the workflow which releases to make.
if (!dryRun) npx(["--no-install", "changeset", "tag"], { show: true });
