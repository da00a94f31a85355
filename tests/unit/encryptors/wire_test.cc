#include "encryptors/wire.h"

#include <gtest/gtest.h>

#include <string>

#include "encryptors/reason.h"
#include "samples.h"

namespace volcrypt {
namespace {

// Over the bytes, not only through the message: what protobuf drops must show.
template <typename Message>
Message ThroughBytes(const Message& message) {
  Message parsed;
  EXPECT_TRUE(parsed.ParseFromString(message.SerializeAsString()));
  return parsed;
}

TEST(Wire, AttachRequestKeepsEveryField) {
  AttachRequest request = SampleAttachRequest();
  request.read_only = true;
  const absl::StatusOr<AttachRequest> got = FromWire(ThroughBytes(ToWire(request)));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(Fields(*got), Fields(request));
}

TEST(Wire, AttachRequestForQemuKeepsEveryField) {
  const AttachRequest request{.volume_id = "vol-1",
                              .device = "/dev/vdb",
                              .leave_unmapped = true,
                              .attached_as_uuid = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"};
  const absl::StatusOr<AttachRequest> got = FromWire(ThroughBytes(ToWire(request)));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(Fields(*got), Fields(request));
}

TEST(Wire, AttachResultKeepsEveryField) {
  const absl::StatusOr<AttachResult> got = FromWire(ThroughBytes(ToWire(SampleAttachResult())));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(Fields(*got), Fields(SampleAttachResult()));
}

TEST(Wire, MappingWithoutRecordHasNoKeyAndNoTime) {
  Mapping mapping = SampleMapping();
  mapping.key.reset();
  mapping.formatted_at.reset();
  const absl::StatusOr<Mapping> got = FromWire(ThroughBytes(ToWire(mapping)));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(Fields(*got), Fields(mapping));
}

TEST(Wire, DetachKeepsEveryField) {
  const DetachRequest request{.volume_id = "vol-1", .device = "/dev/vdb", .deferred = true};
  EXPECT_EQ(Fields(FromWire(ThroughBytes(ToWire(request)))), Fields(request));
  const DetachResult result{.was_attached = true,
                            .pending = true,
                            .volume_id = "vol-1",
                            .device = "/dev/vdb",
                            .device_identity = "253:16 serial=0042",
                            .luks_uuid = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"};
  EXPECT_EQ(Fields(FromWire(ThroughBytes(ToWire(result)))), Fields(result));
}

TEST(Wire, ExtendKeepsEveryField) {
  const ExtendRequest request{.volume_id = "vol-1", .allowed_ciphers = {"aes-xts-plain64", "aes-xts-plain"}};
  EXPECT_EQ(Fields(FromWire(ThroughBytes(ToWire(request)))), Fields(request));
  const ExtendResult result{.mapping = SampleMapping(), .previous_size_bytes = uint64_t{4} << 40};
  const absl::StatusOr<ExtendResult> got = FromWire(ThroughBytes(ToWire(result)));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(Fields(*got), Fields(result));
}

TEST(Wire, InspectionKeepsEveryField) {
  const absl::StatusOr<Inspection> got = FromWire(ThroughBytes(ToWire(SampleInspection())));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(Fields(*got), Fields(SampleInspection()));
}

TEST(Wire, InspectionWithoutHeaderHasNone) {
  Inspection inspection = SampleInspection();
  inspection.luks.reset();
  const absl::StatusOr<Inspection> got = FromWire(ThroughBytes(ToWire(inspection)));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_FALSE(got->luks.has_value());
}

TEST(Wire, EveryMemberOfEveryEnumerationPasses) {
  for (const Format format : {Format::kUnspecified, Format::kLuks1, Format::kLuks2, Format::kPlain}) {
    Mapping mapping;
    mapping.encryption.format = format;
    EXPECT_EQ(FromWire(ToWire(mapping))->encryption.format, format);
  }
  for (const auto outcome : {AttachOutcome::kOpened, AttachOutcome::kAlreadyAttached, AttachOutcome::kFormatted,
                             AttachOutcome::kBlank, AttachOutcome::kKeyNeeded}) {
    EXPECT_EQ(FromWire(ToWire(AttachResult{.outcome = outcome}))->outcome, outcome);
  }
  for (const auto state :
       {MappingState::kActive, MappingState::kSuspended, MappingState::kBroken, MappingState::kDetaching}) {
    EXPECT_EQ(FromWire(ToWire(Mapping{.state = state}))->state, state);
  }
  for (const auto content :
       {Content::kUnspecified, Content::kBlank, Content::kLuks1, Content::kLuks2, Content::kForeign,
        Content::kUnreadable, Content::kIncompleteFormat, Content::kErased, Content::kDamagedHeader}) {
    EXPECT_EQ(FromWire(ToWire(Inspection{.content = content}))->content, content);
  }
}

TEST(Wire, NumbersOutsideAnEnumerationAreRefused) {
  helper::AttachRequest request;
  request.mutable_encryption()->set_format(4);
  EXPECT_TRUE(absl::IsInvalidArgument(FromWire(request).status()));
  helper::AttachResult result;
  result.set_outcome(5);
  EXPECT_TRUE(absl::IsInvalidArgument(FromWire(result).status()));
  helper::Mapping mapping;
  mapping.set_state(4);
  EXPECT_TRUE(absl::IsInvalidArgument(FromWire(mapping).status()));
  helper::ExtendResult extended;
  extended.mutable_mapping()->mutable_encryption()->set_format(4'000'000'000);
  EXPECT_TRUE(absl::IsInvalidArgument(FromWire(extended).status()));
  helper::Inspection inspection;
  inspection.set_content(9);
  EXPECT_TRUE(absl::IsInvalidArgument(FromWire(inspection).status()));
}

TEST(Wire, EveryReasonCrossesWithMessageAndMetadata) {
  for (int i = 0; i < kReasonCount; ++i) {
    const absl::Status error = MakeError(static_cast<Reason>(i), "what was found", {{"device", "/dev/vdb"}});
    EXPECT_EQ(FromWire(ThroughBytes(ToWire(error))), error) << ReasonName(static_cast<Reason>(i));
  }
}

TEST(Wire, ErrorWithoutAKnownReasonIsTheWorkersFault) {
  helper::Error unknown;
  unknown.set_reason("NO_SUCH_REASON");
  unknown.set_message("what was found");
  EXPECT_EQ(ReasonOf(FromWire(unknown)), Reason::kWorkerFailed);
  EXPECT_EQ(ReasonOf(FromWire(helper::Error())), Reason::kWorkerFailed);
  EXPECT_EQ(ReasonOf(FromWire(ToWire(absl::InternalError("a library's")))), Reason::kWorkerFailed);
}

// Labels come from devices and can hold any bytes; the rest of the answer must arrive all the same.
TEST(Wire, BytesThatAreNoTextDoNotLoseTheAnswer) {
  Inspection inspection = SampleInspection();
  inspection.signatures[0].label = "h\xE4user";
  inspection.luks->label = "\xFF";
  inspection.luks->volume_id = "\xC3";
  inspection.device = "/dev/\xE4";
  const absl::StatusOr<Inspection> got = FromWire(ThroughBytes(ToWire(inspection)));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->signatures[0].label, "h?user");
  EXPECT_EQ(got->luks->label, "?");
  EXPECT_EQ(got->signatures[1].type, "gpt");

  AttachResult result = SampleAttachResult();
  result.mapping.device = "/srv/\xE4.img";
  result.mapping.header_volume_id = "\xE4";
  result.warnings = {"odd label \xE4"};
  const absl::StatusOr<AttachResult> attached = FromWire(ThroughBytes(ToWire(result)));
  ASSERT_TRUE(attached.ok()) << attached.status();
  EXPECT_EQ(attached->mapping.device, "/srv/?.img");
}

}  // namespace
}  // namespace volcrypt
