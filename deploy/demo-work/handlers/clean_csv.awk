#!/usr/bin/awk -f
# XClean: a CSV of name,city,amount comes in on standard input; out goes the same with blanks trimmed
# and the text in capitals, and a last line with the sum. A line without three columns is an error.
BEGIN { FS = ","; OFS = "," }
NF != 3 { print "line " NR " has " NF " columns, expected 3" >"/dev/stderr"; bad = 1; exit 65 }
{
    for (i = 1; i <= 3; i++) gsub(/^ +| +$/, "", $i)
    print toupper($1), toupper($2), $3
    sum += $3
}
END { if (!bad) print "TOTAL", NR, sum }
