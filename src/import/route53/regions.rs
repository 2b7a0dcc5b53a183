//! Where Amazon's regions are, near enough to tell them apart by distance.
//!
//! Source: the region names of the AWS General Reference, which name a city or a state; its coordinates to a degree.

/// Latitude and longitude of a region, degrees.
pub(super) fn place(region: &str) -> Option<(f64, f64)> {
    REGIONS.iter().find(|(name, _)| *name == region).map(|(_, place)| *place)
}

const REGIONS: &[(&str, (f64, f64))] = &[
    ("af-south-1", (-34.0, 18.0)),
    ("ap-east-1", (22.0, 114.0)),
    ("ap-northeast-1", (36.0, 140.0)),
    ("ap-northeast-2", (38.0, 127.0)),
    ("ap-northeast-3", (35.0, 136.0)),
    ("ap-south-1", (19.0, 73.0)),
    ("ap-south-2", (17.0, 78.0)),
    ("ap-southeast-1", (1.0, 104.0)),
    ("ap-southeast-2", (-34.0, 151.0)),
    ("ap-southeast-3", (-6.0, 107.0)),
    ("ap-southeast-4", (-38.0, 145.0)),
    ("ap-southeast-5", (3.0, 102.0)),
    ("ap-southeast-7", (14.0, 101.0)),
    ("ca-central-1", (46.0, -74.0)),
    ("ca-west-1", (51.0, -114.0)),
    ("eu-central-1", (50.0, 9.0)),
    ("eu-central-2", (47.0, 9.0)),
    ("eu-north-1", (59.0, 18.0)),
    ("eu-south-1", (45.0, 9.0)),
    ("eu-south-2", (42.0, -1.0)),
    ("eu-west-1", (53.0, -6.0)),
    ("eu-west-2", (52.0, 0.0)),
    ("eu-west-3", (49.0, 2.0)),
    ("il-central-1", (32.0, 35.0)),
    ("me-central-1", (24.0, 54.0)),
    ("me-south-1", (26.0, 51.0)),
    ("mx-central-1", (21.0, -100.0)),
    ("sa-east-1", (-24.0, -47.0)),
    ("us-east-1", (39.0, -77.0)),
    ("us-east-2", (40.0, -83.0)),
    ("us-west-1", (37.0, -122.0)),
    ("us-west-2", (46.0, -120.0)),
];
