package main

import "strings"

// commandData is text for the message of a workflow command of GitHub Actions.
func commandData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(inert(s))
}

// commandProperty is text for a property of a workflow command.
func commandProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(commandData(s))
}

// inert is text on one line that a CI runner takes for no command of its own: GitHub's begin with :: after any space, and
// older ones have ##[ anywhere.
func inert(s string) string {
	s = strings.ReplaceAll(clean(s), "##[", "# #[")
	if strings.HasPrefix(strings.TrimSpace(s), "::") {
		s = "· " + strings.TrimSpace(s)
	}
	return s
}

// ciValue is text for the value of an output or a variable of a CI: on one line, and not long.
func ciValue(s string) string {
	const most = 500
	return cutAt(strings.TrimSpace(clean(s)), most)
}

// safeValue is a value that a shell may read too: what could mean something to one is percent-encoded, spaces are _.
func safeValue(s string) string {
	var b strings.Builder
	for _, c := range []byte(strings.ReplaceAll(ciValue(s), " ", "_")) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("_-./:@%+,=?", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
		}
	}
	return b.String()
}

// cutAt is s with at most so many characters.
func cutAt(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}

// tableCell is text for a cell of a Markdown table.
func tableCell(s string) string {
	const most = 300
	return strings.ReplaceAll(markdown(cutAt(s, most)), "&", "&amp;")
}
