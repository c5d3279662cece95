"""Who trades what, where: parties, channels, products, listings, and what happens to them."""

from typing import Annotated, ClassVar, Literal

from carnet.core.text import Text
from carnet.facts.types.base import (
    BodyNumber,
    Boolean,
    ChannelRef,
    Country,
    Day,
    FactModel,
    FccId,
    Gtin,
    Instant,
    LanguageTag,
    Lei,
    Level,
    Line,
    ListingRef,
    Months,
    Note,
    PartyRef,
    ProductRef,
)
from carnet.facts.types.checks import CrossCheck, NotBefore

Market = Literal["EU", "US", "GB", "KR", "JP", "AU"]
Category = Literal[
    "charger",
    "earphones",
    "wifi_camera",
    "router",
    "drone",
    "power_bank",
    "led_lamp",
    "e_bike",
    "power_tool",
    "helmet",
    "sunglasses",
    "toy",
    "connected_toy",
    "childrens_clothing",
    "adult_clothing",
    "home_goods",
    "cosmetics",
    "kitchenware",
    "other",
]


class Party(FactModel):
    """A company: seller, platform, lender, supplier, certificate issuer, law firm."""

    TYPE = "party"
    TITLE = Text("Party", "主体")

    name: Line
    country: Country
    lei: Lei | None = None
    is_large_enterprise: Boolean | None = None
    industry: Line | None = None


class Channel(FactModel):
    """A way to the buyers, run by a platform or by the seller."""

    TYPE = "channel"
    TITLE = Text("Sales channel", "销售渠道")

    name: Line
    kind: Literal["fully_managed", "semi_managed", "marketplace", "own_site", "distributor"]
    platform_id: PartyRef | None = None


class Product(FactModel):
    """A model of a seller, with the properties on which obligations depend."""

    TYPE = "product"
    TITLE = Text("Product", "产品")

    seller_id: PartyRef
    model: Line
    category: Category
    gtin: Gtin | None = None
    brand: Line | None = None
    origin_country: Country | None = None
    is_radio: Boolean
    is_mains_powered: Boolean
    has_battery: Boolean
    is_internet_connected: Boolean
    processes_personal_data: Boolean
    transfers_value: Boolean
    is_toy: Boolean
    is_childrens_product: Boolean
    is_ppe: Boolean
    ppe_category: Literal["I", "II", "III"] | None = None
    is_machinery: Boolean
    machinery_annex_i_part: Literal["A", "B"] | None = None
    is_foreign_produced: Annotated[
        Boolean | None, Note("produced outside the United States (FCC covered list)")
    ] = None
    fcc_id: Annotated[FccId | None, Note("the id of a grant, no reference to a fact")] = None
    is_covered_equipment: Annotated[
        Boolean | None, Note("on the FCC covered list, itself or by a module built in")
    ] = None
    ce_mark_number: Annotated[
        BodyNumber | None, Note("the number that follows the CE mark on the product")
    ] = None
    has_user_password_skip: Boolean | None = None
    has_parental_control: Boolean | None = None
    has_single_update_method: Annotated[
        Boolean | None, Note("software is updated securely by one method alone")
    ] = None
    min_age_months: Months | None = None


class Listing(FactModel):
    """A product offered in one market through one channel."""

    TYPE = "listing"
    TITLE = Text("Listing", "上架商品")

    product_id: ProductRef
    market: Market
    channel_id: ChannelRef
    placed_on: Annotated[Day | None, Note("the day of placing on the market")] = None
    status: Literal["draft", "proposed", "live", "withdrawn"]
    has_manufacturer_address: Boolean | None = None
    has_manufacturer_email: Boolean | None = None
    has_responsible_person: Boolean | None = None
    has_picture: Boolean | None = None
    has_warnings: Boolean | None = None
    language: LanguageTag | None = None


class Incident(FactModel):
    """A compliance event that the emergency plan follows."""

    TYPE = "incident"
    TITLE = Text("Incident", "合规事件")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (
        NotBefore("opened_at", "reported_at"),
        NotBefore("opened_at", "decided_at"),
        NotBefore("opened_at", "closed_at"),
    )

    seller_id: PartyRef
    kind: Annotated[Line, Note("the class of event as the seller's emergency plan names it")]
    level: Level
    opened_at: Instant
    reported_at: Instant | None = None
    decided_at: Instant | None = None
    closed_at: Instant | None = None
    listing_id: ListingRef | None = None


MODELS: tuple[type[FactModel], ...] = (Party, Channel, Product, Listing, Incident)
"""The types of this topic, in the order of the documentation."""
