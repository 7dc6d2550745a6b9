#!/bin/sh
# Adds up the numbers of its standard input, one a line.
total=0
while read -r number; do
    total=$((total + number))
done
echo "$total"
