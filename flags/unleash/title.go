package unleash

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/serin-cd/serin/flags"
)

// A title says for people whose the strategy is, and ends with the mark: its metadata without the prefix serin.
const (
	titleBegins = "Serin, do not edit: "
	prefix      = "serin"
)

// prepared is the title of a strategy that has not served anybody.
const prepared = titleBegins + "prepared"

// counted is the key of how often Serin has written; it is no part of the mark.
const counted = "Writes"

// title is the mark as a text, at the nth write.
func title(f flags.Flag, n uint64) string {
	m, mark := f.Mark(), map[string]any{counted: n}
	for key, v := range f.Metadata() {
		if short, ok := strings.CutPrefix(key, prefix); ok {
			mark[short] = v
		}
	}
	says := fmt.Sprintf("%d %% by rollout %s", m.Share/100, m.Rollout)
	if m.Killed {
		says = "turned off by rollout " + m.Rollout
	}
	return titleBegins + says + " " + string(marshal(mark))
}

// readTitle is the metadata in a title of Serin's, nil in one without a mark; false for anybody else's.
func readTitle(title string) (map[string]json.RawMessage, bool) {
	rest, ok := strings.CutPrefix(title, titleBegins)
	if !ok {
		return nil, false
	}
	_, text, ok := strings.Cut(rest, " {")
	if !ok {
		return nil, title == prepared
	}
	var short map[string]json.RawMessage
	if err := json.Unmarshal([]byte("{"+text), &short); err != nil {
		return nil, false
	}
	mark := map[string]json.RawMessage{}
	for key, v := range short {
		if strings.ContainsAny(string(v[:1]), "{[n") {
			return nil, false // flagd's metadata has texts, numbers and booleans: a person wrote this
		}
		if key != counted {
			mark[prefix+key] = v
		}
	}
	return mark, true
}

// writes is the count in a title, 0 where there is none.
func writes(title string) uint64 {
	var mark struct{ Writes uint64 }
	if _, text, ok := strings.Cut(title, " {"); ok && json.Unmarshal([]byte("{"+text), &mark) != nil {
		return 0
	}
	return mark.Writes
}

func killed(title string) bool {
	mark, _ := readTitle(title)
	return string(mark[prefix+"Killed"]) == "true"
}

// marshal writes JSON that people read: without escapes for HTML. What it is given are texts, numbers and what was JSON
// before.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("unleash: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
