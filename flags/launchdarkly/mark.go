package launchdarkly

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/serin-cd/serin/flags"
)

// LaunchDarkly's limits of a custom property.
const (
	propertyItems      = 64
	propertyCharacters = 64
)

// pieceBytes leaves room for a piece's number.
const pieceBytes = propertyCharacters - len("00:")

// propertyKey is the custom property of an environment's mark: properties are the flag's, and so common to all.
func propertyKey(environment string) string { return "serin." + environment }

// cutMark cuts the mark, which is what the image's metadata has under keys that begin with serin, into the property's
// values. They are numbered, as LaunchDarkly does not promise their order.
func cutMark(f flags.Flag) ([]string, error) {
	mark := map[string]any{}
	for key, v := range f.Metadata() {
		if strings.HasPrefix(key, "serin") {
			mark[key] = v
		}
	}
	data, err := json.Marshal(mark)
	if err != nil {
		return nil, fmt.Errorf("flag %q: %w", f.Key(), err)
	}
	var pieces []string
	for piece := range slices.Chunk([]byte(plain(string(data))), pieceBytes) {
		pieces = append(pieces, fmt.Sprintf("%02d:%s", len(pieces), piece))
	}
	if len(pieces) > propertyItems {
		return nil, fmt.Errorf("flag %q: Serin's notes do not fit into LaunchDarkly's custom property", f.Key())
	}
	return pieces, nil
}

// plain is JSON without spaces, which could be trimmed from the end of a piece, in ASCII, which may be cut anywhere. Both
// stand in strings only.
func plain(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r > ' ' && r < 0x7f {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// readMark puts the pieces together again. What is not whole is no mark: the flag then is a stranger's.
func readMark(pieces []string) map[string]any {
	var text strings.Builder
	for i, piece := range slices.Sorted(slices.Values(pieces)) {
		number, rest, _ := strings.Cut(piece, ":")
		if number != fmt.Sprintf("%02d", i) {
			return map[string]any{}
		}
		text.WriteString(rest)
	}
	dec := json.NewDecoder(strings.NewReader(text.String()))
	dec.UseNumber()
	var mark map[string]any
	if err := dec.Decode(&mark); err != nil || mark == nil {
		return map[string]any{}
	}
	for key, v := range mark {
		switch v.(type) {
		case string, bool, json.Number:
			if strings.HasPrefix(key, "serin") {
				continue
			}
		}
		delete(mark, key)
	}
	return mark
}
