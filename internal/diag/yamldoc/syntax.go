package yamldoc

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/serin-cd/serin/internal/diag"
)

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax is a complaint of the YAML library: what a person does about it, and where on its line it is.
type syntax struct {
	text string // a part of the message
	cure string
	at   *regexp.Regexp // its second group is the fault; nil: where the line's text begins
}

const indent = "indent with spaces, not with tabs, and the keys of one mapping alike"

// syntaxes are tried in their order. The library has a line for most of its complaints, and a column for none.
var syntaxes = []syntax{
	{"tab character", "indent with spaces, not with tabs", regexp.MustCompile(`()(\t)`)},
	{"cannot start any token", "put text that begins with %, @ or ` into quotes; indent with spaces, not with tabs", regexp.MustCompile("(^|[\\s:\\[{,])([%@`\t])")},
	{"alphabetic or numeric", "put text that begins with * or & into quotes", regexp.MustCompile(`(^|[\s:\[{,])([*&])`)},
	{"mapping values are not allowed", "put text that has a colon and a space in it into quotes; write a space after a key's colon; " + indent, nil},
	{"could not find expected ':'", "write a space after the colon, as in `key: value`; " + indent, nil},
	{"expected ',' or", "close the bracket or brace that is open here", regexp.MustCompile(`()([\[{])`)},
	{"unexpected end of stream", "close the quotes that are open", regexp.MustCompile(`()(["'])`)},
	{"unknown escape", `write \\ for a backslash between double quotes, or use single quotes`, regexp.MustCompile(`()(\\[^\\"nrt])`)},
	{"expected key", indent + "; put text that has double quotes in it into single quotes", nil},
	{"unknown anchor", "write the value out, or define it before, as in &name", nil},
	{"control characters", "remove the character", nil},
	{"UTF-8", "save the file as UTF-8", nil},
}

// ofParser are complaints that the library numbers from the line before.
var ofParser = regexp.MustCompile(`^did not find expected (key|',' or|'-' indicator|node content|<)`)

// addSyntax turns the YAML library's message into a finding.
func (f *File) addSyntax(err error) {
	line, text := 0, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		text = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
			if ofParser.MatchString(text) {
				line++
			}
		}
	}
	found := syntax{cure: "check indentation (spaces, no tabs), quotes and brackets on this line and the one before"}
	for _, s := range syntaxes {
		if strings.Contains(text, s.text) {
			found = s
			break
		}
	}
	f.Findings = append(f.Findings, diag.Finding{
		Position: f.syntaxPlace(line, text, found.at), Severity: diag.Error, Message: "not valid YAML: " + text, Cure: found.cure,
	})
}

var anchor = regexp.MustCompile(`unknown anchor '([^']*)'`)

// syntaxPlace is the fault's place as near as can be known. Where the library names no line, it is looked for in the text.
func (f *File) syntaxPlace(line int, text string, fault *regexp.Regexp) diag.Position {
	if line == 0 {
		if at := f.strange(text); at >= 0 {
			return f.place(at)
		}
	}
	line = min(max(line, 1), len(f.lines))
	if fault != nil { // it may have begun on a line before
		for l := line; l > 0; l-- {
			if m := fault.FindStringSubmatchIndex(f.lines[l-1]); m != nil {
				return diag.Position{File: f.Name, Line: l, Column: utf8.RuneCountInString(f.lines[l-1][:m[4]]) + 1}
			}
		}
	}
	column := 1
	if src := f.lines[line-1]; strings.TrimSpace(src) != "" {
		column += len(src) - len(strings.TrimLeft(src, " \t"))
	}
	return diag.Position{File: f.Name, Line: line, Column: column}
}

// strange is the offset of what a complaint without a line is about; negative when there is none.
func (f *File) strange(text string) int {
	if m := anchor.FindStringSubmatch(text); m != nil {
		return strings.Index(f.text, "*"+m[1])
	}
	for i, r := range f.text {
		if r == utf8.RuneError || r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return i
		}
	}
	return -1
}

func (f *File) place(at int) diag.Position {
	begin := strings.LastIndexByte(f.text[:at], '\n') + 1
	return diag.Position{File: f.Name, Line: strings.Count(f.text[:at], "\n") + 1, Column: utf8.RuneCountInString(f.text[begin:at]) + 1}
}
