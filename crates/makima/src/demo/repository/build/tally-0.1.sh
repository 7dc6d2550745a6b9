#!/bin/sh
# Built by hand, long ago.
echo 6
