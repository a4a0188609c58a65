package jetstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments/journaltest"
)

func TestSecondServerOnADirectoryIsRefusedAndNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	s := embed(t, dir, "127.0.0.1:0")
	_, err := Embed(t.Context(), ServerOptions{Dir: dir, Listen: "127.0.0.1:0"})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("second server: %v, want a refusal naming %s and the process", err, dir)
	}
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := embed(t, dir, "127.0.0.1:0").Shutdown(); err != nil {
		t.Errorf("after the first one has stopped: %v", err)
	}
}

func TestSecondServerOnADirectoryAndAPortIsToldOfTheDirectory(t *testing.T) {
	dir := t.TempDir()
	s := embed(t, dir, "127.0.0.1:0")
	defer s.Shutdown()
	_, err := Embed(t.Context(), ServerOptions{Dir: dir, Listen: strings.TrimPrefix(s.URL(), "nats://")})
	if err == nil || !strings.Contains(err.Error(), dir+" is in use by process") {
		t.Errorf("second server: %v, want the directory named", err)
	}
}

func TestClientsComeBackToARestartedServer(t *testing.T) {
	dir := t.TempDir()
	s := embed(t, dir, "127.0.0.1:0")
	address, token := strings.TrimPrefix(s.URL(), "nats://"), s.Token()
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	s = embed(t, dir, address)
	defer s.Shutdown()
	nc, err := Connect(t.Context(), s.URL(), ClientOptions{Token: token})
	if err != nil {
		t.Fatalf("with the token of before: %v", err)
	}
	closeAndWait(nc)
	info, err := os.Stat(filepath.Join(dir, tokenFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file: %v, %v, want mode 0600", info, err)
	}
}

func TestEndpointIsThereWhileTheServerRuns(t *testing.T) {
	dir := t.TempDir()
	s := embed(t, dir, "127.0.0.1:0")
	got, err := ReadEndpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Endpoint{URL: s.URL(), Token: s.Token(), PID: os.Getpid()}, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(dir, "endpoint.json"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, want 0600", info.Mode())
	}
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadEndpoint(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the stop: %v, want none", err)
	}
}

func TestDataDirectoryIsOursAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	s := embed(t, dir, "127.0.0.1:0")
	defer s.Shutdown()
	for _, d := range []string{dir, filepath.Join(dir, "nats")} {
		info, err := os.Stat(d)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, want 0700", d, info.Mode())
		}
	}
}

func TestClientsWithoutTheTokenAreTurnedAway(t *testing.T) {
	s := embed(t, t.TempDir(), "127.0.0.1:0")
	defer s.Shutdown()
	if _, err := Connect(t.Context(), s.URL(), ClientOptions{Token: "wrong"}); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("connect: %v, want %v", err, nats.ErrAuthorization)
	}
	nc, err := s.Connect(t.Context(), ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	closeAndWait(nc)
}

func TestListenAddressesAreRefusedWithTheCure(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, tt := range map[string]struct{ listen, want string }{
		"taken":           {taken.Addr().String(), taken.Addr().String() + " is in use: another serin, or a NATS server? use --listen"},
		"every interface": {"0.0.0.0:0", "can be reached from other machines"},
		"no host":         {":0", "can be reached from other machines"},
		"no port":         {"127.0.0.1", "write host:port"},
		"bad port":        {"127.0.0.1:many", "is no port"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Embed(t.Context(), ServerOptions{Dir: t.TempDir(), Listen: tt.listen})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestTLSOrATokenOpensOtherAddresses(t *testing.T) {
	for name, o := range map[string]ServerOptions{"TLS": {TLS: &tls.Config{}}, "token": {Token: "given"}} {
		t.Run(name, func(t *testing.T) {
			o.Listen = "0.0.0.0:0"
			if _, _, err := o.address(); err != nil {
				t.Error(err)
			}
		})
	}
}

// certificate is a self-signed one for 127.0.0.1, and the file to trust it by.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestWithTLSOnlyTLSClientsAreHeard(t *testing.T) {
	cert, ca := certificate(t)
	s, err := Embed(t.Context(), ServerOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	for name, connect := range map[string]func() (*nats.Conn, error){
		"TCP": func() (*nats.Conn, error) {
			return Connect(t.Context(), s.URL(), ClientOptions{Token: s.Token(), CA: ca})
		},
		"process": func() (*nats.Conn, error) { return s.Connect(t.Context(), ClientOptions{}) },
	} {
		nc, err := connect()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		closeAndWait(nc)
	}
	if _, err := Connect(t.Context(), s.URL(), ClientOptions{Token: s.Token()}); err == nil {
		t.Error("a client that does not know the certificate was connected")
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	_, err := Connect(t.Context(), "nats://ci:hunter2@127.0.0.1:1,nats://ci:hunter2@127.0.0.1:2", ClientOptions{})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestARestartedServerHasEverything(t *testing.T) {
	dir := t.TempDir()
	s := embed(t, dir, "127.0.0.1:0")
	_, js := connect(t, s)
	layout := Layout{Partitions: journaltest.Partitions}
	if err := Setup(t.Context(), js, layout); err != nil {
		t.Fatal(err)
	}
	e := journaltest.Entry(checkout, 1, 0)
	var err error
	if e.Sequence, err = openJournal(t, js).Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	s = embed(t, dir, "127.0.0.1:0")
	defer s.Shutdown()
	_, js = connect(t, s)
	if err := Setup(t.Context(), js, layout); err != nil {
		t.Fatal(err)
	}
	got, err := openJournal(t, js).Last(t.Context(), checkout)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestServersThatWillNotDoAreRefused(t *testing.T) {
	for version, ok := range map[string]bool{"2.10.29": false, "2.9.10": false, "2.11.0": true, "2.15.2": true, "2.11.0-beta.1": false, "": false} {
		if err := checkVersion(version); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), version) {
			t.Errorf("version %q: %v", version, err)
		}
	}
	plain, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	plain.Start()
	defer func() { plain.Shutdown(); plain.WaitForShutdown() }()
	if !plain.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	if _, err := Connect(t.Context(), plain.ClientURL(), ClientOptions{}); !errors.Is(err, jetstream.ErrJetStreamNotEnabled) || !strings.Contains(err.Error(), "has no JetStream") {
		t.Errorf("without JetStream: %v", err)
	}
}

func TestADaemonWaitsForItsServer(t *testing.T) {
	dir := t.TempDir()
	s := embed(t, dir, "127.0.0.1:0")
	address, listen := s.URL(), strings.TrimPrefix(s.URL(), "nats://")
	token := s.Token()
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := Connect(t.Context(), address, ClientOptions{Token: token}); !errors.Is(err, nats.ErrNoServers) {
		t.Errorf("a client: %v, want %v", err, nats.ErrNoServers)
	}
	done := make(chan error, 1)
	go func() {
		nc, err := Connect(t.Context(), address, ClientOptions{Token: token, Daemon: true})
		if err == nil {
			closeAndWait(nc)
		}
		done <- err
	}()
	s, err := Embed(t.Context(), ServerOptions{Dir: dir, Listen: listen, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	if err := receive(t, done); err != nil {
		t.Errorf("a daemon: %v", err)
	}
}

func BenchmarkStartToReadyOnAnEmptyStore(b *testing.B) {
	for b.Loop() {
		s, err := Embed(b.Context(), ServerOptions{Dir: b.TempDir(), Listen: "127.0.0.1:0"})
		if err != nil {
			b.Fatal(err)
		}
		nc, err := s.Connect(b.Context(), ClientOptions{})
		if err != nil {
			b.Fatal(err)
		}
		js, err := jetstream.New(nc)
		if err != nil {
			b.Fatal(err)
		}
		if err := Setup(b.Context(), js, Layout{}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		nc.Close()
		if err := s.Shutdown(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
