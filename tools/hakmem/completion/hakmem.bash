# bash completion for hakmem(1). Verbs, options and gates are asked of the tool itself, so they are always those of this version.

# Words after which a command of the user begins are left to the completion of commands.
_hakmem_command() {
    local i
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then
            if declare -F _command_offset >/dev/null; then
                _command_offset $((i + 1))
            else
                COMPREPLY=($(compgen -c -f -- "${COMP_WORDS[COMP_CWORD]}"))
            fi
            return 0
        fi
    done
    return 1
}

_hakmem_gates() { hakmem options 2>/dev/null | grep -o '^[a-z_][a-z_0-9]*'; }

# The words that an option may be; of a number none.
_hakmem_values() { hakmem options "$1" 2>/dev/null | grep -oE '[a-z0-9]+(\|[a-z0-9]+)+' | head -n 1 | tr '|' ' '; }

_hakmem_verbs() { hakmem --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p'; }

# Names or files behind the last comma, A,B,...
_hakmem_libraries() {
    local word=$1 done=
    [[ $word == *,* ]] && done=${word%,*},
    COMPREPLY=($(compgen -P "$done" -W "hakmem libc mimalloc jemalloc tcmalloc snmalloc rpmalloc tbbmalloc" -- "${word##*,}"))
    [[ $done ]] || COMPREPLY+=($(compgen -f -- "$word"))
}

_hakmem() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "$(_hakmem_verbs) --help --version" -- "$word"))
        return
    fi
    _hakmem_command && return
    # readline makes words of its own of what stands around a "=": --set thp = al, --lib = mi
    if [[ $word == "=" || $before == "=" ]]; then
        local at=$((COMP_CWORD - 1))
        [[ $word == "=" ]] && word= || at=$((COMP_CWORD - 2))
        before=${COMP_WORDS[at]}
        case ${COMP_WORDS[at - 1]} in
        --set | --vs | --gate)
            COMPREPLY=($(compgen -W "$(_hakmem_values "$before")" -- "$word"))
            return
            ;;
        esac
    fi
    case $before in
    --set | --vs | --gate)
        COMPREPLY=($(compgen -W "$(_hakmem_gates)" -S = -- "$word"))
        compopt -o nospace 2>/dev/null
        return
        ;;
    --primary)
        COMPREPLY=($(compgen -W "wall inside cpu rss faults switches metric instructions branches" -- "$word"))
        return
        ;;
    --lib)
        _hakmem_libraries "$word"
        return
        ;;
    --chart)
        COMPREPLY=($(compgen -W "ratios rss faults memory sizes schemes" -- "$word"))
        return
        ;;
    --scratch)
        COMPREPLY=($(compgen -d -- "$word"))
        return
        ;;
    -o | --output | --svg | --png | --stdin | show)
        COMPREPLY=($(compgen -f -- "$word"))
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$(hakmem "$verb" --help 2>/dev/null | grep -oE -- '^ +(-[a-zA-Z?], )?--[a-z-]+' | grep -oE -- '--[a-z-]+')" -- "$word"))
        return
    fi
    case $verb in
    help) COMPREPLY=($(compgen -W "$(_hakmem_verbs)" -- "$word")) ;;
    options) COMPREPLY=($(compgen -W "$(_hakmem_gates)" -- "$word")) ;;
    check) COMPREPLY=($(compgen -c -- "$word") $(compgen -W "$(cd /proc && echo [1-9]*)" -- "$word")) ;;
    bench) COMPREPLY=($(compgen -W "notes micro macro all $(hakmem bench --list 2>/dev/null | tail -n +2)" -- "$word")) ;;
    ab) COMPREPLY=($(compgen -W "show --" -- "$word")) ;;
    run | record) COMPREPLY=($(compgen -c -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
    esac
}

complete -F _hakmem hakmem
