//go:build e2e

package eventclients

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cdevents/sdk-go/pkg/api"
	v03 "github.com/cdevents/sdk-go/pkg/api/v03"
	v04 "github.com/cdevents/sdk-go/pkg/api/v04"
	v05 "github.com/cdevents/sdk-go/pkg/api/v05"
	cejs "github.com/cloudevents/sdk-go/protocol/nats_jetstream/v2"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/nats-io/nats.go"
)

// understood are the CDEvents that tell of a release.
var understood = []string{"service.deployed", "service.upgraded", "service.published", "artifact.published"}

const purl = "pkg:oci/checkout@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427?tag=1.4.2"

// fill gives an event what the SDK leaves to its user.
func fill(e api.CDEvent, id string) api.CDEvent {
	e.SetId(id)
	e.SetSource("https://tekton.example/runs/7")
	e.SetSubjectId("service/checkout")
	if strings.HasPrefix(e.GetType().String(), "dev.cdevents.artifact.") {
		e.SetSubjectId(purl)
	}
	if in, ok := e.(interface{ SetSubjectArtifactId(string) }); ok {
		in.SetSubjectArtifactId(purl)
	} else if strings.HasPrefix(e.GetType().String(), "dev.cdevents.service.published.") { // it has no place for one
		if err := e.SetCustomData("application/json", map[string]string{"version": "1.4.2", "artifact": purl}); err != nil {
			panic(err)
		}
	}
	if in, ok := e.(interface{ SetSubjectEnvironment(*api.Reference) }); ok {
		in.SetSubjectEnvironment(&api.Reference{Id: "production", Source: "/iaas/geo1"})
	}
	return e
}

// allOf makes an event of each type of three versions of the specification.
func allOf(t *testing.T) []api.CDEvent {
	t.Helper()
	var all []api.CDEvent
	add := func(spec string, made func(kind, spec string) (api.CDEvent, error), kinds []string) {
		for _, kind := range kinds {
			e, err := made(kind, spec)
			if err != nil {
				t.Logf("%s of %s: %v", kind, spec, err)
				continue
			}
			all = append(all, fill(e, spec+" "+kind))
		}
	}
	kinds := func(types []api.CDEventV04) (out []string) {
		for _, e := range types {
			out = append(out, e.GetType().String())
		}
		return out
	}
	var old []string
	for _, e := range v03.CDEventsTypes {
		old = append(old, e.GetType().String())
	}
	add(v03.SpecVersion, v03.NewCDEvent, old)
	add(v04.SpecVersion, v04.NewCDEvent, kinds(v04.CDEventsTypes))
	add(v05.SpecVersion, v05.NewCDEvent, kinds(v05.CDEventsTypes))
	if len(all) < 100 {
		t.Fatalf("only %d events", len(all))
	}
	return all
}

func TestEveryCDEventIsAcceptedOrRefusedWithAReason(t *testing.T) {
	w, all := newWorld(t), allOf(t)
	for _, e := range all {
		text, err := api.AsJsonBytes(e)
		if err != nil {
			t.Fatal(err)
		}
		m := &nats.Msg{Subject: releases, Data: text, Header: nats.Header{nats.MsgIdHdr: {e.GetId()}}}
		if _, err := w.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	accepted, letters := w.settled(t, len(all))
	for _, e := range all {
		kind := e.GetType().Subject + "." + e.GetType().Predicate
		r, taken := accepted[e.GetId()]
		switch l := letters[e.GetId()]; {
		case taken != slices.Contains(understood, kind):
			t.Errorf("%s is accepted: %t; %s", e.GetId(), taken, l.Why)
		case taken && (r.Version != "1.4.2" || r.Artifact != purl || r.RunURL != "https://tekton.example/runs/7"):
			t.Errorf("%s: %+v", e.GetId(), r)
		case !taken && (l.Reason != "unsupported" || !strings.Contains(l.Why, "service.deployed, service.upgraded, service.published and artifact.published")):
			t.Errorf("%s is refused for %s: %s", e.GetId(), l.Reason, l.Why)
		}
	}
	t.Logf("%d events: %d accepted, %d refused", len(all), len(accepted), len(letters))
}

func TestCDEventsInACloudEventAreAccepted(t *testing.T) {
	w := newWorld(t)
	sender, err := cejs.NewSenderFromConn(w.nc, "SERIN_RELEASES", releases, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := cloudevents.NewClient(sender)
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, e := range allOf(t) {
		if !slices.Contains(understood, e.GetType().Subject+"."+e.GetType().Predicate) {
			continue
		}
		wrapped, err := api.AsCloudEvent(e) // it validates against the schemas of the specification
		if err != nil {
			t.Fatalf("%s: %v", e.GetId(), err)
		}
		if result := client.Send(t.Context(), *wrapped); cloudevents.IsUndelivered(result) {
			t.Fatal(result)
		}
		sent++
	}
	accepted, letters := w.settled(t, sent)
	if len(accepted) != sent || sent < 10 {
		t.Errorf("%d of %d are accepted: %+v", len(accepted), sent, letters)
	}
}

// TestTheSamplesOfTheSDKAreRefusedWithAReason publishes what the SDK's own tests are made of, broken events among them.
func TestTheSamplesOfTheSDKAreRefusedWithAReason(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cdevents/sdk-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	w, sent := newWorld(t), 0
	err = filepath.WalkDir(strings.TrimSpace(string(dir)), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" || strings.Contains(path, "schema.json") || strings.Contains(path, "schemas") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sent++
		_, err = w.js.PublishMsg(t.Context(), &nats.Msg{Subject: releases, Data: text, Header: nats.Header{nats.MsgIdHdr: {path}}})
		return err
	})
	if err != nil || sent < 10 {
		t.Fatalf("%d samples: %v", sent, err)
	}
	accepted, letters := w.settled(t, sent)
	if len(accepted) > 0 {
		t.Errorf("accepted: %+v", accepted)
	}
	for id, l := range letters {
		if l.Why == "" || l.Reason != "unsupported" && l.Reason != "malformed" {
			t.Errorf("%s: %s: %s", filepath.Base(id), l.Reason, l.Why)
		}
		t.Logf("%s: %s: %.90s", filepath.Base(id), l.Reason, l.Why)
	}
}
