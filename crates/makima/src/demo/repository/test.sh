#!/bin/sh
# Runs all checks; exits with 1 if one of them fails.
failed=0

# check NAME EXPECTED INPUT
check() {
    got=$(printf "$3" | sh tally.sh 2>&1)
    if [ "$got" = "$2" ]; then
        echo "ok    $1"
    else
        echo "FAIL  $1: expected $2, got $got"
        failed=1
    fi
}

check "numbers are added" 6 '1\n2\n3\n'
check "nothing is zero" 0 ''
check "the last line needs no end" 6 '1\n2\n3'
exit $failed
