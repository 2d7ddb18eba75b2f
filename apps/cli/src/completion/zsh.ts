import type { CompletedCommand, CompletedOption, Value } from "./words.js";

/** Text within a single-quoted word of zsh's `_arguments`, which gives brackets and colons a meaning. */
const inside = (text: string): string => text.replaceAll(/[[\]:\\]/g, "\\$&").replaceAll("'", "'\\''");

const offer = ({ name, choices, files }: Value): string =>
  `:${inside(name)}:${choices.length > 0 ? `(${choices.join(" ")})` : files ? "_files" : " "}`;

const spec = ({ flags, description, value }: CompletedOption): string[] =>
  flags.map((flag) => `'*${flag}[${inside(description)}]${value ? offer(value) : ""}'`);

/** What zsh reads: `source <(weft completion zsh)`, or a file `_weft` in a folder of `fpath`. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  const list = commands.map(({ name, description }) => `        '${name}:${inside(description)}'`);
  const cases = commands.map(
    ({ name, options, args }) =>
      `        (${name}) _arguments -s ${[...options.flatMap(spec), ...args.map((arg, i) => `'${i + 1}${offer(arg)}'`)].join(" \\\n          ")} ;;`,
  );
  return `#compdef weft
# weft completion for zsh: source <(weft completion zsh)
_weft() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C '1: :->command' '*:: :->rest'
  case $state in
    command)
      local -a commands=(
${list.join("\n")}
      )
      _describe -t commands command commands ;;
    rest)
      case $words[1] in
${cases.join("\n")}
      esac ;;
  esac
}
if [[ $funcstack[1] == _weft ]]; then _weft "$@"; else compdef _weft weft; fi
`;
}
