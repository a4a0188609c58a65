package jetstream

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"

	"github.com/nats-io/nats.go"
)

// signedToken begins, behind the prefix, the subjects that only imports of other accounts lead to: what comes on them
// carries the server's word of who sent it.
const signedToken = "signed"

// headerSender is where the server writes who sent a message that came through a shared import. What the sender itself
// wrote there is replaced; on subjects that a client can publish to directly it means nothing.
const headerSender = "Nats-Request-Info"

const maxActor = 128 // characters of a name

// Actor is who sent a request, as far as the server said. The zero value is somebody.
type Actor struct {
	Name string // "": it did not say
}

// Record is what goes on record about an actor that says to be somebody: the name the server vouches for, and what was
// said where that is another; without one what was said, marked as unverified.
func (a Actor) Record(said string) string {
	said = oneLine(said)
	switch {
	case a.Name == "":
		return cmp.Or(said, "somebody") + " (unverified)"
	case said == "" || said == a.Name:
		return a.Name
	}
	return a.Name + " (says " + strconv.Quote(said) + ")"
}

// sender reads who sent a message from a signed subject.
func sender(h nats.Header) Actor {
	var values []string
	for k, v := range h {
		if strings.EqualFold(k, headerSender) {
			values = append(values, v...)
		}
	}
	if len(values) != 1 {
		return Actor{} // the server writes it once: somebody meddles
	}
	var info struct {
		User string `json:"user"`
		Tag  string `json:"name_tag"`
	}
	if json.Unmarshal([]byte(values[0]), &info) != nil {
		return Actor{}
	}
	// Of a decentralised user the key is the name, and the tag what people know it by.
	name, tag := oneLine(info.User), oneLine(info.Tag)
	if name == "" || tag == "" {
		return Actor{name}
	}
	return Actor{tag + " " + name}
}

// oneLine is a name that can be shown: bounded, without control characters or surrounding space.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxActor {
		s = string(r[:maxActor-1]) + "…"
	}
	return s
}
