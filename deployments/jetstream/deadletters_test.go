package jetstream

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

func TestAReleasePublishedAgainKeepsItsID(t *testing.T) {
	const subject = "serin.release.production.checkout"
	binary := nats.Header{"ce-specversion": {"1.0"}, "ce-id": {"build%2010"}, "ce-source": {"ci"}, "ce-type": {"release"}}
	for name, l := range map[string]Letter{
		"in Nats-Msg-Id alone": {ID: "build 10", Body: []byte(`{"version": "1.1.0"}`)},
		"in the body":          {Body: []byte(`{"version": "1.1.0", "id": "build 10"}`)},
		"nowhere":              {Body: []byte(`{"version": "1.1.0"}`)},
		"in headers":           {ID: "another", Header: binary, Body: []byte(`{"version": "1.1.0"}`)},
		"in an envelope": {ID: "another", Header: nats.Header{"Content-Type": {"application/cloudevents+json"}},
			Body: []byte(`{"specversion": "1.0", "id": "build 10", "source": "ci", "type": "release", "data": {"version": "1.1.0"}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			l.Sequence, l.Subject, l.Stream = 17, subject, "SERIN_RELEASES"
			again, err := DeadLetters{}.Again(l)
			if err != nil {
				t.Fatal(err)
			}
			rel, err := DecodeRelease(again.msg.Subject, again.msg.Header, again.msg.Data)
			want := "build 10"
			if name == "nowhere" {
				want = derivedID(rel, "")
			}
			if err != nil || rel.ID != want || rel.Version != "1.1.0" || again.Release.ID != rel.ID {
				t.Errorf("%+v: %v", rel, err)
			}
			if id := again.msg.Header.Get(nats.MsgIdHdr); id == l.ID || !strings.Contains(id, "17") {
				t.Errorf("the stream would see the id %q", id)
			}
			for name := range l.Header {
				if got := again.msg.Header[name]; got[0] != l.Header[name][0] {
					t.Errorf("header %s is %q", name, got)
				}
			}
		})
	}
}

func TestWhatIsNoWholeReleaseIsNotPublishedAgain(t *testing.T) {
	whole := Letter{Sequence: 17, Subject: "serin.release.production.checkout", Stream: "SERIN_RELEASES", Body: []byte(`{"version": "1.1.0"}`)}
	for name, c := range map[string]struct {
		change func(*Letter)
		want   string
	}{
		"an entry of the journal":  {func(l *Letter) { l.Stream = "SERIN_JOURNAL" }, "it is no release"},
		"an undelivered event":     {func(l *Letter) { l.Stream = "SERIN_EVENTS" }, "it is no release"},
		"only the beginning":       {func(l *Letter) { l.Cut, l.Size = true, 70000 }, "beginning of a body of 70000 bytes"},
		"a name that is no name":   {func(l *Letter) { l.Subject = "serin.release.production.che$kout" }, "is not a name"},
		"a subject of the journal": {func(l *Letter) { l.Subject = "serin.journal.3.production.checkout" }, "no subject of releases"},
		"still no release":         {func(l *Letter) { l.Body = []byte(`{}`) }, "refused again"},
	} {
		t.Run(name, func(t *testing.T) {
			l := whole
			c.change(&l)
			if _, err := (DeadLetters{}).Again(l); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
