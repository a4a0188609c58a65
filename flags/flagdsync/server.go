package flagdsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"buf.build/gen/go/open-feature/flagd/grpc/go/flagd/sync/v1/syncv1grpc"
	syncv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/sync/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/serin-cd/serin/flags"
)

// Flags are the flags of all environments as they stand in memory, under flags.StoreKey's keys. They are loaded before
// the server is made: a document without flags takes every client's flags away.
type Flags interface {
	// Flag is a flag and its revision, or an error for one that is not there or cannot be read.
	Flag(storeKey string) (flags.Flag, uint64, error)
	// Names are the keys of all flags, in any order.
	Names() []string
}

// MaxRequest bounds what a client may send at once.
const MaxRequest = 64 << 10

const (
	pingAfter   = 30 * time.Second // of silence: a client that is gone is let go
	pingsAllow  = 5 * time.Second  // between a client's pings
	drainWithin = 2 * time.Second
)

// Server is the service. The flags' owner calls Changed after every change.
type Server struct {
	flags       Flags
	environment string
	log         *slog.Logger

	mu      sync.Mutex
	changed chan struct{}     // closed by the next change
	texts   map[string]string // by environment, since the last change
}

// New refuses an environment that is none. The environment is that of clients without a selector.
func New(all Flags, environment string, log *slog.Logger) (*Server, error) {
	if err := checkEnvironment(environment); err != nil {
		return nil, fmt.Errorf("serve flagd sync: %w", err)
	}
	return &Server{flags: all, environment: environment, log: log, changed: make(chan struct{}), texts: map[string]string{}}, nil
}

func checkEnvironment(name string) error {
	if name == "" || len(name) > 100 || strings.ContainsAny(name, "./*> ,=") {
		return fmt.Errorf("environment %.100q is no name of an environment", name)
	}
	return nil
}

// Changed lets every stream look at the flags again. It never waits.
func (s *Server) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
	clear(s.texts)
}

// document is the environment's document, and a channel that is closed when it may be another one.
func (s *Server) document(environment string) (text string, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.texts[environment]
	if !ok {
		text = render(s.flags, environment)
		s.texts[environment] = text
	}
	return text, s.changed
}

// Serve serves on the listener until ctx ends, and closes it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	g := grpc.NewServer(grpc.MaxRecvMsgSize(MaxRequest),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingsAllow, PermitWithoutStream: true}))
	syncv1grpc.RegisterFlagSyncServiceServer(g, service{server: s, ends: ctx})
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve flagd sync: %w", err)
	case <-ctx.Done():
	}
	force := time.AfterFunc(drainWithin, g.Stop)
	g.GracefulStop()
	force.Stop()
	if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve flagd sync: %w", err)
	}
	return nil
}

// service is the server for as long as it serves.
type service struct {
	syncv1grpc.UnimplementedFlagSyncServiceServer
	server *Server
	ends   context.Context
}

// SyncFlags sends the document, and again when it has changed.
func (s service) SyncFlags(req *syncv1.SyncFlagsRequest, stream grpc.ServerStreamingServer[syncv1.SyncFlagsResponse]) error {
	ctx := stream.Context()
	environment, err := s.server.selected(ctx, req.GetSelector())
	if err != nil {
		return err
	}
	s.server.log.DebugContext(ctx, "flagd sync client came", slog.String("environment", environment), slog.String("provider", fmt.Sprintf("%.100q", req.GetProviderId())))
	sent := ""
	for {
		text, changed := s.server.document(environment)
		if text != sent {
			if err := stream.Send(&syncv1.SyncFlagsResponse{FlagConfiguration: text}); err != nil {
				return err
			}
			sent = text
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-s.ends.Done():
			return status.Error(codes.Unavailable, "the server stops")
		}
	}
}

// FetchAllFlags is the document as it is now.
func (s service) FetchAllFlags(ctx context.Context, req *syncv1.FetchAllFlagsRequest) (*syncv1.FetchAllFlagsResponse, error) {
	environment, err := s.server.selected(ctx, req.GetSelector())
	if err != nil {
		return nil, err
	}
	text, _ := s.server.document(environment)
	return &syncv1.FetchAllFlagsResponse{FlagConfiguration: text}, nil
}

// GetMetadata is asked by older clients; there is nothing to tell them.
func (service) GetMetadata(context.Context, *syncv1.GetMetadataRequest) (*syncv1.GetMetadataResponse, error) {
	return &syncv1.GetMetadataResponse{}, nil
}

// selected is the environment of a selector, which newer clients send as a header. flagd's own form flagSetId=NAME, and
// the plain name, mean the same.
func (s *Server) selected(ctx context.Context, selector string) (string, error) {
	if selector == "" {
		if md, ok := metadata.FromIncomingContext(ctx); ok && len(md.Get("flagd-selector")) > 0 {
			selector = md.Get("flagd-selector")[0]
		}
	}
	name := strings.TrimPrefix(selector, "flagSetId=")
	if name == "" {
		return s.environment, nil
	}
	if err := checkEnvironment(name); err != nil {
		return "", status.Errorf(codes.InvalidArgument, "selector: %v: write it as production, or as flagSetId=production", err)
	}
	return name, nil
}
