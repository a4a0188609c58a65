package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Part is a stream or a bucket that Setup makes.
type Part struct {
	Kind  string // stream or bucket
	Name  string
	Found bool // it is there
}

// stream is the stream that keeps the part.
func (p Part) stream() string {
	if p.Kind == "bucket" {
		return "KV_" + p.Name
	}
	return p.Name
}

// parts are what Setup makes.
func parts(n Names) []Part {
	var all []Part
	for _, s := range []string{JournalStream, SummaryStream, ReleasesStream, EventsStream, DLQStream, AuditStream, LeaseStream} {
		all = append(all, Part{Kind: "stream", Name: n.Stream(s)})
	}
	for _, b := range []string{FlagsBucket, PoliciesBucket, NotifyBucket} {
		all = append(all, Part{Kind: "bucket", Name: n.Bucket(b)})
	}
	return all
}

// Parts are the streams and buckets, and which of them are there. A worker's rights are enough to ask.
func Parts(ctx context.Context, js jetstream.JetStream, n Names) ([]Part, error) {
	all := parts(n)
	for i, p := range all {
		_, err := js.Stream(ctx, p.stream())
		if err != nil && !missing(err) {
			return nil, fmt.Errorf("look up %s %s: %w", p.Kind, p.Name, err)
		}
		all[i].Found = err == nil
	}
	return all, nil
}
