// Command audit reads what a chaos run has left in a directory and prints one JSON line: how much there was, and what is
// doubled, missing or silent. The findings go to findings.jsonl there, the first of them to standard error. Its exit
// status is 1 when one of the three is not 0.
package main
