"""The commands that are known only to read, with the options that keep them so.

This table is the boundary of what runs without being asked: when in doubt, leave it out.
Left out on purpose: env, printenv (secrets), awk, perl, python, less, man (run programs),
hostname (sets), tee, xargs, and every option that writes, runs or follows links downwards.
"""

from hermes.policy.options import Known, known

_COLOR = "--color[=] --colour[=]"
_GREP = (
    "-EFGPivwxcLlqsobHhnrzaIyT -e: -m: -A: -B: -C: --include= --exclude= --exclude-dir= "
    "--line-number --ignore-case --recursive --count --files-with-matches --word-regexp "
    "--files-without-match --extended-regexp --fixed-strings --perl-regexp --regexp= "
    "--invert-match --only-matching --max-count= --after-context= --before-context= "
    "--context= --no-filename --with-filename --quiet --silent --no-messages --null --text "
)
_RG = (
    "-iSsvwxclnNoqFUPHIa0p.u -g: -t: -T: -A: -B: -C: -m: -e: -M: -d: -r: --files --hidden "
    "--no-ignore --glob= --iglob= --type= --type-not= --sort= --stats --json --heading "
    "--no-heading --line-number --no-line-number --with-filename --no-filename --max-count= "
    "--max-depth= --files-with-matches --files-without-match --ignore-case --smart-case "
    "--case-sensitive --fixed-strings --word-regexp --multiline --multiline-dotall --count "
    "--count-matches --only-matching --context= --after-context= --before-context= "
    "--invert-match --regexp= --max-columns= --trim --vimgrep --column --quiet --text --color= "
    "--replace= --pcre2 --null --no-config"
)
_LS = (
    "-aAbBcCdfFgGhiklmnNopqQrRsStuUvxXZ1 -w: -I: --all --almost-all --human-readable --recursive "
    "--group-directories-first --reverse --size --inode --directory --classify[=] --full-time "
    "--time-style= --sort= --time= --format= --ignore= --si --numeric-uid-gid --help --version "
)
_SUMS = known("paths", "-bt --binary --text --tag --zero -z")
_NO_OPTIONS = known("none")
_ENDS = "-qvz -n: -c: --lines= --bytes= --quiet --silent --verbose"

TABLE: dict[str, Known] = {
    "ls": known("paths", _LS + _COLOR),
    "cat": known("paths", "-AbeEnstTuv --number --number-nonblank --show-all --squeeze-blank"),
    "head": known("paths", _ENDS, digits=True),
    "tail": known("paths", _ENDS, digits=True),
    "wc": known("paths", "-clmwL --lines --words --bytes --chars --max-line-length"),
    "grep": known("pattern", _GREP + _COLOR, digits=True),
    "egrep": known("pattern", _GREP + _COLOR, digits=True),
    "fgrep": known("pattern", _GREP + _COLOR, digits=True),
    "rg": known("pattern", _RG),
    "pwd": known("none", "-LP"),
    "sleep": known("text"),
    "stat": known("paths", "-Lft -c: --format= --printf= --terse --file-system --dereference"),
    "file": known("paths", "-biLhNnr0 --brief --mime --mime-type --mime-encoding"),
    "du": known(
        "paths",
        "-abchkmsSx0 -d: --max-depth= --human-readable --summarize --total --all "
        "--apparent-size --exclude= --bytes --one-file-system",
    ),
    "df": known("paths", "-ahiklPT --human-readable --type= --print-type --inodes"),
    "uname": known("none", "-asnrvmpio --all"),
    "arch": _NO_OPTIONS,
    "nproc": known("none", "--all"),
    "uptime": known("none", "-ps"),
    "free": known("none", "-bkmghtw"),
    "whoami": _NO_OPTIONS,
    "groups": _NO_OPTIONS,
    "id": known("text", "-ugnrGz --user --group --name"),
    "which": known("text", "-a --all"),
    "type": known("text", "-afptP"),
    "basename": known("text", "-az -s: --multiple --suffix="),
    "dirname": known("text", "-z"),
    "realpath": known("paths", "-emsqz --canonicalize-existing --canonicalize-missing"),
    "readlink": known("paths", "-femnqsvz --canonicalize --no-newline"),
    "sort": known(
        "paths",
        "-bdfghiMnRrVcCmsuz -k: -t: --reverse --numeric-sort --unique --key= --field-separator= "
        "--ignore-case --human-numeric-sort --version-sort --stable --general-numeric-sort",
    ),
    "uniq": known("paths", "-cdDiuz -f: -s: -w: --count --repeated --unique --ignore-case", most=1),
    "cut": known(
        "paths",
        "-nsz -b: -c: -d: -f: --delimiter= --fields= --characters= --bytes= --complement "
        "--only-delimited --output-delimiter=",
    ),
    "tr": known("text", "-cCdst --delete --squeeze-repeats --complement --truncate-set1"),
    "nl": known("paths", "-p -b: -n: -w: -s: -v: -i: --body-numbering="),
    "tac": known("paths", "-br -s:"),
    "rev": known("paths"),
    "column": known("paths", "-tx -s: -c: --table --separator="),
    "fold": known("paths", "-bs -w: --width= --spaces"),
    "expand": known("paths", "-i -t: --tabs="),
    "unexpand": known("paths", "-a -t:"),
    "paste": known("paths", "-sz -d: --delimiters= --serial"),
    "diff": known(
        "files",
        "-abBdeiNpqstuwyE -U: -C: -W: --unified[=] --brief --side-by-side "
        "--ignore-all-space --ignore-space-change --ignore-blank-lines --ignore-case "
        "--report-identical-files --suppress-common-lines --width= " + _COLOR,
        digits=True,
    ),
    "cmp": known("files", "-bls -n: -i: --quiet --silent --verbose --print-bytes"),
    "comm": known("files", "-123z --total --check-order --nocheck-order"),
    "md5sum": _SUMS,
    "sha1sum": _SUMS,
    "sha224sum": _SUMS,
    "sha256sum": _SUMS,
    "sha384sum": _SUMS,
    "sha512sum": _SUMS,
    "b2sum": _SUMS,
    "cksum": known("paths"),
    "seq": known("text", "-w -s: --equal-width --separator=", digits=True),
    "od": known("paths", "-abcdfilosxv -A: -t: -N: -j: --address-radix= --format="),
    "xxd": known("paths", "-abeipEu -c: -g: -l: -s:", most=1),
    "hexdump": known("paths", "-bcCdovx -n: -s:"),
    "tree": known(
        "paths",
        "-adfghinpqrstuCDFNQSU -L: -I: -P: --dirsfirst --noreport --gitignore --du --prune",
    ),
}
