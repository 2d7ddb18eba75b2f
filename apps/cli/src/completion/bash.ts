import type { CompletedCommand } from "./words.js";

/** What bash reads: `source <(weft completion bash)`. Where it offers nothing, bash offers files. */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const values = commands.flatMap(({ name, options }) =>
    options.flatMap(({ flags, value }) =>
      value && value.choices.length > 0
        ? [`    ${flags.map((flag) => `${name}:${flag}`).join("|")}) words="${value.choices.join(" ")}" ;;`]
        : value
          ? [`    ${flags.map((flag) => `${name}:${flag}`).join("|")}) return ;;`]
          : [],
    ),
  );
  const options = commands.map(({ name, options: all }) => `      ${name}) words="${all.flatMap(({ flags }) => flags).join(" ")}" ;;`);
  const args = commands.flatMap(({ name, args: [first] }) =>
    first && first.choices.length > 0 ? [`      ${name}) words="${first.choices.join(" ")}" ;;`] : [],
  );
  return `# weft completion for bash: source <(weft completion bash)
_weft() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command="" words="" word
  COMPREPLY=()
  # "--dtype=f" comes as three words.
  if [[ $prev == "=" ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if [[ $cur == "=" ]]; then cur=""; fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      ${names.replaceAll(" ", "|")}) command=$word; break ;;
    esac
  done
  case $command:$prev in
${values.join("\n")}
    *) case $cur in
      -*) case $command in
${options.join("\n")}
        esac ;;
      *) case $command in
        "") words="${names}" ;;
${args.join("\n")}
        esac ;;
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _weft weft
`;
}
