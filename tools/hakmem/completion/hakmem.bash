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

_hakmem() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "$(hakmem --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p') --help --version" -- "$word"))
        return
    fi
    _hakmem_command && return
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
        COMPREPLY=($(compgen -W "hakmem libc mimalloc jemalloc tcmalloc snmalloc rpmalloc tbbmalloc" -f -- "$word"))
        return
        ;;
    -o | --stdin | --json-file | show)
        COMPREPLY=($(compgen -f -- "$word"))
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$(hakmem "$verb" --help 2>/dev/null | grep -oE -- '--[a-z-]+' | sort -u)" -- "$word"))
        return
    fi
    case $verb in
    options) COMPREPLY=($(compgen -W "$(_hakmem_gates)" -- "$word")) ;;
    check) COMPREPLY=($(compgen -c -- "$word") $(compgen -W "$(cd /proc && echo [1-9]*)" -- "$word")) ;;
    bench) COMPREPLY=($(compgen -W "notes micro macro all $(hakmem bench --list 2>/dev/null | tail -n +2)" -- "$word")) ;;
    ab) COMPREPLY=($(compgen -W "show --" -- "$word")) ;;
    run | record) COMPREPLY=($(compgen -c -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
    esac
}

complete -F _hakmem hakmem
